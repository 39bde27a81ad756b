import { readIncident } from './incident.js';
import { POLICIES } from './policies/all.js';
import { replay, type Tally } from './replay.js';
import { SETTINGS } from './settings.js';

// A process of its own for each policy, which plays all settings one after another and sends home a tally for each.
const policy = POLICIES.find(({ name }) => name === process.argv[2]);
if (policy === undefined || process.send === undefined) throw new Error('play.ts is started by main.ts, with the name of a policy');
const tallies: Tally[] = [];
for (const setting of SETTINGS) tallies.push(await replay(readIncident(), setting, policy));
process.send(tallies);
