// A service that does nothing but live: for the test beside it.
import { commonSettings, runService } from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { RpcError, type ServiceHandlers } from '@calico/rpc';

const unimplemented = async (): Promise<never> => {
  throw new RpcError('UNIMPLEMENTED', 'Cannot do this: a demonstration');
};

await runService({
  name: 'demo',
  summary: 'lives',
  listen: 'unix:$CALICO_RUN_DIR/demo.sock',
  httpListen: '127.0.0.1:0',
  settings: { runDir: commonSettings.runDir },
  async main({ serve, version }) {
    const handlers = {
      ...Object.fromEntries(
        ResourceService.methods.map(({ localName }) => [localName, unimplemented]),
      ),
      getVersion: async () => ({ version }),
    } as unknown as ServiceHandlers<typeof ResourceService>;
    const server = await serve([ResourceService, handlers]);
    return () => server.stop();
  },
});
