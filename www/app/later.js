// What opens at a click only, and is of no use while the server is away. main.js loads it once the page has started.

import { invite } from '../views/invitation.js';
import { saveTranscript } from '../views/transcript.js';
import { togglePanel } from '../wire/panel.js';

export const later = { invite, saveTranscript, togglePanel };
