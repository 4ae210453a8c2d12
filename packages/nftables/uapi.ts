// Numbers of the kernel's interface: include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h
export const NETLINK_NETFILTER = 12;
export const NLMSG_ERROR = 2;
export const NLM_F = { REQUEST: 1, ACK: 4, CREATE: 0x400, APPEND: 0x800 } as const;
export const NFPROTO = { INET: 1, IPV4: 2, IPV6: 10 } as const;

export const NFNL_MSG_BATCH_BEGIN = 16;
export const NFNL_MSG_BATCH_END = 17;
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_BATCH_GENID = 1;

export const NFT_MSG = {
  NEWTABLE: 0,
  DELTABLE: 2,
  NEWCHAIN: 3,
  DELCHAIN: 5,
  NEWRULE: 6,
  GETRULE: 7,
  DELRULE: 8,
  NEWSET: 9,
  DELSET: 11,
  NEWSETELEM: 12,
  DELSETELEM: 14,
  NEWGEN: 15,
  GETGEN: 16,
  TRACE: 17,
  NEWOBJ: 18,
  GETOBJ: 19,
  DELOBJ: 20,
} as const;

export const NFTA_LIST_ELEM = 1;
export const NFTA_GEN_ID = 1;
export const NFTA_TABLE = { NAME: 1, FLAGS: 2 } as const;
export const NFTA_CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, POLICY: 5, TYPE: 7, USERDATA: 12 } as const;
export const NFTA_HOOK = { HOOKNUM: 1, PRIORITY: 2 } as const;
export const NFTA_RULE = { TABLE: 1, CHAIN: 2, HANDLE: 3, EXPRESSIONS: 4, USERDATA: 7 } as const;
export const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;
export const NFTA_COUNTER = { BYTES: 1, PACKETS: 2 } as const;
export const NFTA_SET = {
  TABLE: 1,
  NAME: 2,
  FLAGS: 3,
  KEY_TYPE: 4,
  KEY_LEN: 5,
  DATA_TYPE: 6,
  DATA_LEN: 7,
  DESC: 9,
  ID: 10,
  USERDATA: 13,
  OBJECT_TYPE: 15,
} as const;
export const NFTA_SET_DESC_CONCAT = 2;
export const NFTA_SET_FIELD_LEN = 1;
export const NFT_SET = { INTERVAL: 4, MAP: 8, OBJECT: 0x40, CONCAT: 0x80 } as const;
export const NFNLGRP_NFTRACE = 9;
export const NFTA_TRACE = {
  TABLE: 1,
  CHAIN: 2,
  RULE_HANDLE: 3,
  TYPE: 4,
  VERDICT: 5,
  ID: 6,
  IIF: 10,
  OIF: 12,
  POLICY: 16,
} as const;
export const NFT_TRACETYPE = { POLICY: 1, RETURN: 2, RULE: 3 } as const;
/** Codes of verdicts, as signed numbers: NF_* and enum nft_verdicts. */
export const NFT_VERDICT: Readonly<Record<number, string>> = {
  0: 'drop',
  1: 'accept',
  [-1]: 'continue',
  [-3]: 'jump',
  [-4]: 'goto',
  [-5]: 'return',
};
export const NFT_DATA_VERDICT = 0xffffff00;
export const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
export const NFTA_SET_ELEM = {
  KEY: 1,
  DATA: 2,
  FLAGS: 3,
  USERDATA: 6,
  OBJREF: 9,
  KEY_END: 10,
} as const;
export const NFTA_OBJ = { TABLE: 1, NAME: 2, TYPE: 3, DATA: 4, USERDATA: 8 } as const;
export const NFT_OBJECT_COUNTER = 1;
export const NFT_SET_ELEM_INTERVAL_END = 1;
export const NFTA_DATA = { VALUE: 1, VERDICT: 2 } as const;
export const NFTA_VERDICT = { CODE: 1, CHAIN: 2 } as const;

export const NFT_META = { MARK: 3, IIFNAME: 6, OIFNAME: 7, NFPROTO: 15, L4PROTO: 16 } as const;
export const NFT_CT = { STATE: 0, STATUS: 2, MARK: 3 } as const;
export const NFT_PAYLOAD = { NETWORK_HEADER: 1, TRANSPORT_HEADER: 2 } as const;
export const NFT_CMP = { EQ: 0, NEQ: 1, LTE: 3, GTE: 5 } as const;
export const NFT_FIB = { SADDR: 1, DADDR: 2, OIF: 16, RESULT_ADDRTYPE: 3 } as const;
export const NFT_REJECT = { TCP_RST: 1, ICMPX_UNREACH: 2 } as const;
export const NF_NAT_RANGE_PROTO_SPECIFIED = 2;

/** Type-length-value entries that libnftables keeps with chains, rules, sets and elements: libnftnl/udata.h */
export const UDATA = {
  CHAIN_COMMENT: 0,
  RULE_COMMENT: 0,
  SET_KEY_BYTE_ORDER: 0,
  SET_DATA_BYTE_ORDER: 1,
  SET_KEY_TYPEOF: 3,
  SET_DATA_TYPEOF: 4,
  SET_DATA_INTERVAL: 6,
  SET_COMMENT: 7,
  ELEMENT_FLAGS: 1,
  OBJECT_COMMENT: 0,
} as const;
