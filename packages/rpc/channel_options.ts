import type { ChannelOptions } from '@grpc/grpc-js';

const MEBIBYTE = 1024 * 1024;

/**
 * Quick return after a peer's restart (at most 1 s between attempts instead of grpc's 120), a dead
 * peer noticed within 15 s of silence during a call, no HTTP proxy between our own services.
 */
export const CLIENT_OPTIONS: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': 64 * MEBIBYTE,
};

export const MOST_REQUEST_BYTES = 8 * MEBIBYTE;

export const SERVER_OPTIONS: ChannelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': MOST_REQUEST_BYTES,
  'grpc.max_send_message_length': 64 * MEBIBYTE,
};
