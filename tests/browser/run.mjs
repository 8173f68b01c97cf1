// All tests of the page in a browser, one after another. `run` beside this brings what they need.

import './talk.mjs';
import './private.mjs';
import './names.mjs';
import './connection.mjs';
import './address.mjs';
import './outage.mjs';
import './start.mjs';
import './writing.mjs';
import './keyboard.mjs';
import './chaos.mjs';
import './reading.mjs';
import './past.mjs';
import './jump.mjs';
import './change.mjs';
import './class.mjs';
import './find.mjs';
import './habits.mjs';
import './comfort.mjs';
import './access.mjs';
import './look.mjs';
import './widths.mjs';
import './details.mjs';
import './wire.mjs';
import './languages.mjs';
import './app.mjs';
import './make-chat.mjs';
