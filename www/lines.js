// What a person types into the composer: a text, or a line that begins with a slash and means something to do.
//
// Pure. Not here: doing it (chat.js). The server knows such lines too, for clients that are no page; here they are read by the
// page, since they mean the place that is open.

/** What /help shows. */
export const HELP = '/me waves · /nick NAME · /join CHANNEL · /leave · /msg NAME TEXT · /quit · '
  + 'a line that shall begin with a slash begins with two';

/** Reads what was typed: `{ does, … }`, where `does: 'wrong'` carries a sentence. */
export function parse(typed) {
  const line = typed.trim();
  if (line.startsWith('//')) return { does: 'say', text: line.slice(1) };
  if (!line.startsWith('/')) return { does: 'say', text: line };
  const [, word, rest] = /^\/(\S*)\s*([^]*)$/u.exec(line);
  const wrong = (sentence) => ({ does: 'wrong', sentence });
  switch (word.toLowerCase()) {
    case 'me': return rest ? { does: 'say', text: rest, action: true } : wrong('/me needs a text: /me waves');
    case 'nick': return rest ? { does: 'rename', name: rest } : wrong('/nick needs a name: /nick Ada');
    case 'join': return rest ? { does: 'join', channel: rest } : wrong('/join needs a channel: /join garden');
    case 'leave': return { does: 'leave', channel: rest.replace(/^#/, '') || null };
    case 'msg': {
      const parts = /^@?(\S+)\s+([^]+)$/u.exec(rest);
      return parts ? { does: 'direct', to: parts[1], text: parts[2] } : wrong('/msg needs a name and a text: /msg Ada hello');
    }
    case 'quit': return { does: 'quit' };
    case 'help': return { does: 'help' };
    default: return wrong(`There is no command /${word}. /help lists them; a text that begins with a slash is typed with two.`);
  }
}
