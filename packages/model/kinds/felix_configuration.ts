// FelixConfiguration: about 200 parameters, described as data.
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { PROGRAM_CLUSTER_ROUTES, routePriority } from './bgp_configuration.ts';
import { parsePort } from './policy_rule.ts';
import { address, duration, exactNet, integer, port } from './scalars.ts';

const CAMEL = {
  flags: `allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads bpfDisableUnprivileged bpfEnabled
    bpfHostConntrackBypass bpfIPFragmentReassemblyEnabled bpfKubeProxyIptablesCleanupEnabled
    bpfPolicyDebugEnabled bpfConnectTimeLoadBalancingEnabled disableConntrackInvalidCheck
    endpointReportingEnabled flowLogsCollectorDebugTrace genericXDPEnabled goDataplaneEnabled
    healthEnabled ipipEnabled ipv6Support prometheusGoMetricsEnabled prometheusMetricsEnabled
    prometheusProcessMetricsEnabled prometheusWireGuardMetricsEnabled removeExternalRoutes
    requireMTUFile routeSyncDisabled sidecarAccelerationEnabled usageReportingEnabled
    useInternalDataplaneDriver vxlanEnabled wireguardEnabled wireguardEnabledV6
    wireguardHostEncryptionEnabled wireguardThreadingEnabled xdpEnabled`,
  durations: `bpfKubeProxyMinSyncPeriod dataplaneWatchdogTimeout endpointReportingDelay
    flowLogsFlushInterval interfaceRefreshInterval ipsetsRefreshInterval
    iptablesLockProbeInterval iptablesLockTimeout iptablesPostWriteCheckInterval
    iptablesRefreshInterval liveMigrationRouteConvergenceTime localSubnetL2ReachabilityRefreshInterval
    netlinkTimeout nftablesRefreshInterval reportingInterval reportingTTL routeRefreshInterval
    typhaReadTimeout typhaWriteTimeout usageReportingInitialDelay usageReportingInterval
    wireguardKeepAlive xdpRefreshInterval`,
  counts: `bpfExportBufferSizeMB bpfExtToServiceConnmark bpfKubeProxyHealthzPort
    bpfMaglevMaxEndpointsPerService bpfMaglevMaxServices bpfMapSizeConntrack
    bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState bpfMapSizeNATAffinity
    bpfMapSizeNATBackend bpfMapSizeNATFrontend bpfMapSizePerCPUConntrack bpfMapSizeRoute
    deviceRouteProtocol goMaxProcs goMemoryLimitMB goGCThreshold healthPort ipipMTU istioDSCPMark
    iptablesMarkMask logActionRateLimitBurst maxIpsetSize metadataPort nftablesMarkMask
    prometheusMetricsPort vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI wireguardListeningPort
    wireguardListeningPortV6 wireguardMTU wireguardMTUV6 wireguardRoutingRulePriority`,
  texts: `bpfConntrackTimeouts bpfDataIfacePattern bpfForceTrackPacketsFromIfaces bpfL3IfacePattern
    bpfLogFilters bpfPSNATPorts bpfDisableGROForIfaces cgroupV2Path dataplaneDriver
    endpointStatusPathPrefix featureDetectOverride featureGates flowLogsGoldmaneServer healthHost
    interfaceExclude iptablesNATOutgoingInterfaceFilter logActionRateLimit logDebugFilenameRegex
    logFilePath logPrefix metadataAddr mtuIfacePattern nftablesFlowTableDataIfacePattern
    openstackRegion policySyncPathPrefix prometheusMetricsCAFile prometheusMetricsCertFile
    prometheusMetricsHost prometheusMetricsKeyFile typhaAddr typhaCAFile typhaCN typhaCertFile
    typhaK8sNamespace typhaK8sServiceName typhaKeyFile typhaURISAN wireguardInterfaceName
    wireguardInterfaceNameV6`,
} as const;

const DENY = ['Drop', 'Reject'];
const ALLOW = ['Accept', 'Return'];
const SWITCH = ['Enabled', 'Disabled'];
const SEVERITY = ['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'None'];

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  awsSrcDstCheck: ['DoNothing', 'Enable', 'Disable'],
  bpfAttachType: ['Netkit', 'TCX', 'TC'],
  bpfCTLBLogFilter: ['all'],
  bpfConnectTimeLoadBalancing: ['TCP', 'Enabled', 'Disabled'],
  bpfConntrackCleanupMode: ['Auto', 'BPFProgram', 'Userspace'],
  bpfConntrackLogLevel: ['Debug', 'Off'],
  bpfEnforceRPF: ['Disabled', 'Strict', 'Loose'],
  bpfExternalServiceMode: ['Tunnel', 'DSR'],
  bpfHostNetworkedNATWithoutCTLB: SWITCH,
  bpfJITHardening: ['Auto', 'Strict'],
  bpfLogLevel: ['Off', 'Info', 'Debug'],
  bpfMapSizeConntrackScaling: ['Disabled', 'DoubleIfFull'],
  bpfOverlayHostSourceIP: ['TunnelAddress', 'HostAddress'],
  bpfProfiling: SWITCH,
  bpfRedirectToPeer: ['Enabled', 'Disabled', 'L2Only'],
  chainInsertMode: ['Insert', 'Append'],
  defaultEndpointToHostAction: ['Drop', 'Accept', 'Return'],
  floatingIPs: SWITCH,
  flowLogsLocalReporter: SWITCH,
  flowLogsPolicyEvaluationMode: ['Continuous', 'None'],
  ipForwarding: SWITCH,
  iptablesBackend: ['Auto', 'Legacy', 'NFT'],
  iptablesFilterAllowAction: ALLOW,
  iptablesFilterDenyAction: DENY,
  iptablesMangleAllowAction: ALLOW,
  istioAmbientMode: SWITCH,
  localSubnetL2Reachability: ['Disabled', 'PodsAndLoadBalancers'],
  logSeverityFile: SEVERITY,
  logSeverityScreen: SEVERITY,
  logSeveritySys: SEVERITY,
  natOutgoingExclusions: ['IPPoolsOnly', 'IPPoolsAndHostIPs'],
  nftablesFilterAllowAction: ALLOW,
  nftablesFilterDenyAction: DENY,
  nftablesFlowTableOffload: ['All', 'Disabled'],
  nftablesMangleAllowAction: ALLOW,
  nftablesMode: ['Auto', 'Enabled', 'Disabled'],
  programClusterRoutes: PROGRAM_CLUSTER_ROUTES,
  prometheusMetricsClientAuth: [
    'NoClientCert',
    'RequireAnyClientCert',
    'RequireAndVerifyClientCert',
    'VerifyClientCertIfGiven',
  ],
  routeSource: ['CalicoIPAM', 'WorkloadIPs'],
  serviceLoopPrevention: ['Drop', 'Reject', 'Disabled'],
  windowsManageFirewallRules: SWITCH,
  workloadSourceSpoofing: ['Disabled', 'Any'],
};

const words = (text: string) => text.split(/\s+/);
const fields = <S extends z.ZodType>(text: string, schema: S) =>
  Object.fromEntries(words(text).map((name) => [name, schema.optional()]));

const portRange = z.union([z.string(), z.number()]).superRefine((input, context) => {
  if (parsePort(input)?.kind === 'range') return;
  const message = 'expected a port (0 to 65535) or a range as in "32768:65535"';
  context.addIssue({ code: 'custom', input, message });
});

/** Parameters that our services read; the others are checked and kept for upstream's. */
function ownParameters(style: SchemaStyle) {
  const tables = style.object({ min: integer(1, 0xffff_ffff), max: integer(1, 0xffff_ffff) });
  const healthTimeout = style.object({ name: z.string(), timeout: duration });
  const hostPort = style.object({
    protocol: z.string(),
    port: integer(0, 65_535),
    net: exactNet.optional(),
  });
  return {
    interfacePrefix: z.string().optional(),
    ipipMTU: integer(0, 65_535).optional(),
    vxlanMTU: integer(0, 65_535).optional(),
    vxlanMTUV6: integer(0, 65_535).optional(),
    vxlanPort: port.optional(),
    vxlanVNI: integer(1, 16_777_215).optional(),
    deviceRouteProtocol: integer(0, 255).optional(),
    deviceRouteSourceAddress: address.optional(),
    deviceRouteSourceAddressIPv6: address.optional(),
    natOutgoingAddress: address.optional(),
    natPortRange: portRange.optional(),
    externalNodesList: z.array(exactNet).optional(),
    failsafeInboundHostPorts: z.array(hostPort).optional(),
    failsafeOutboundHostPorts: z.array(hostPort).optional(),
    routeRefreshInterval: duration.optional(),
    routeTableRange: tables.optional(),
    routeTableRanges: z.array(tables).optional(),
    healthTimeoutOverrides: z.array(healthTimeout).optional(),
    defaultEndpointToHostAction: z.enum(['Drop', 'Accept', 'Return']).optional(),
    nftablesFilterDenyAction: z.enum(['Drop', 'Reject']).optional(),
    natOutgoingExclusions: z.enum(['IPPoolsOnly', 'IPPoolsAndHostIPs']).optional(),
    workloadSourceSpoofing: z.enum(['Disabled', 'Any']).optional(),
    disableConntrackInvalidCheck: z.boolean().optional(),
    /** What becomes of connections that a change of policy forbids; ours, not upstream's. */
    connections: z.enum(['Keep', 'Cut']).optional(),
    allowIPIPPacketsFromWorkloads: z.boolean().optional(),
    allowVXLANPacketsFromWorkloads: z.boolean().optional(),
    ipv4NormalRoutePriority: routePriority.optional(),
    ipv6NormalRoutePriority: routePriority.optional(),
    ipv4ElevatedRoutePriority: routePriority.optional(),
    ipv6ElevatedRoutePriority: routePriority.optional(),
    mtuIfacePattern: z.string().optional(),
    logPrefix: z.string().optional(),
    /** Whether what policy denies is told to felix, which logs it with names; ours, not upstream's. */
    deniedLog: z.enum(['Disabled', 'Enabled']).optional(),
  };
}

const REST = {
  ...fields(CAMEL.flags, z.boolean()),
  ...fields(CAMEL.durations, duration),
  ...fields(CAMEL.counts, z.number()),
  ...fields(CAMEL.texts, z.string()),
  ...Object.fromEntries(
    Object.entries(CHOICES).map(([name, values]) => [name, z.enum(values as string[]).optional()]),
  ),
  bpfDSROptoutCIDRs: z.array(exactNet).optional(),
  bpfExcludeCIDRsFromNAT: z.array(exactNet).optional(),
  bpfIPFragTimeout: z.union([z.number(), duration]).optional(),
  kubeNodePortRanges: z.array(z.union([z.string(), z.number()])).optional(),
} satisfies Record<string, z.ZodType>;

/** RFC 8200, section 5. On a device with less the kernel has no IPv6 at all. */
export const IPV6_LEAST_MTU = 1280;

export function felixConfigurationSpec(style: SchemaStyle) {
  const own = ownParameters(style);
  return style.cross(style.object({ ...REST, ...own }), [
    ['vxlanMTUV6'],
    ({ vxlanMTUV6: mtu = 0 }, report) => {
      if (mtu === 0 || mtu >= IPV6_LEAST_MTU) return;
      report(
        ['vxlanMTUV6'],
        mtu,
        'expected 0 or a whole number from 1280 to 65535: IPv6 needs 1280',
      );
    },
  ]);
}
