// Dialogs and menus that open at a click and need the server. main.js loads them after the page has started.

import { invite } from '../views/invitation.js';
import { saveTranscript } from '../views/transcript.js';
import { togglePanel } from '../wire/panel.js';

export const later = { invite, saveTranscript, togglePanel };
