// Documents that tests of commands send.
export const POOL = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.244.0.0/16, ipipMode: Always}
`;
export const NODES = `apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-node01}
spec: {bgp: {ipv4Address: 192.168.80.101/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-master}
spec: {bgp: {ipv4Address: 192.168.80.100/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-node02}
spec: {bgp: {ipv4Address: 192.168.80.102/24}}
`;
export const POLICY = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: closed}
spec: {selector: all()}
`;
