// `node run` of upstream starts a container. Here a node is services of its own, so it says which.
import { CommandError } from '../command_error.ts';
import type { CommandAdder } from '../session.ts';

export const addNodeRun: CommandAdder = (node) => {
  node
    .command('run', { hidden: true })
    .allowUnknownOption()
    .argument('[words...]')
    .action(() => {
      throw new CommandError(
        'Cannot run a node: here a node is the services calico-felix and calico-bgp, not a container of its own',
        {
          advice:
            'Start them with the units in deploy/systemd or the file in deploy/compose. What upstream takes as --ip, --as, --name and --ip-autodetection-method are the variables IP, AS, CALICO_NODENAME and IP_AUTODETECTION_METHOD of calico-node-startup.',
        },
      );
    });
};
