// What a person types into the composer: a text, or a line that begins with a slash and means something to do.
//
// Pure. Not here: doing it (commands.js). The server knows such lines too, for clients that are no page; here they are read by
// the page, since they mean the place that is open.

/** Every command: its word, what it needs, what it does, and an example where something is missing. */
export const COMMANDS = [
  { word: 'me', needs: 'TEXT', does: 'say what you do', example: '/me waves' },
  { word: 'msg', needs: 'NAME TEXT', does: 'write to a person in private', example: '/msg Ada hello' },
  { word: 'nick', needs: 'NAME', does: 'take another name', example: '/nick Ada' },
  { word: 'join', needs: 'CHANNEL', does: 'open a channel, or make it', example: '/join garden' },
  { word: 'leave', needs: '[CHANNEL]', does: 'leave this channel, or another' },
  { word: 'who', needs: '[CHANNEL]', does: 'list who is here, or in another channel' },
  { word: 'channels', needs: '', does: 'list all channels' },
  { word: 'history', needs: '[N]', does: 'load earlier messages' },
  { word: 'help', needs: '', does: 'show these commands' },
  { word: 'quit', needs: '', does: 'leave the chat' },
];

/** What /help shows. */
export const HELP = [
  ...COMMANDS.map(({ word, needs, does }) => `/${word}${needs && ` ${needs}`}: ${does}`),
  'A line that shall begin with a slash begins with two.',
].join('\n');

/** Reads what was typed: `{ does, … }`, where `does: 'wrong'` carries a sentence. */
export function parse(typed) {
  const line = typed.trim();
  if (line.startsWith('//')) return { does: 'say', text: line.slice(1) };
  if (!line.startsWith('/')) return { does: 'say', text: line };
  const [, typedWord, rest] = /^\/(\S*)\s*([^]*)$/u.exec(line);
  const word = typedWord.toLowerCase();
  const command = COMMANDS.find((one) => one.word === word);
  const wrong = (sentence) => ({ does: 'wrong', sentence });
  if (!command) return wrong(`There is no command /${typedWord}. /help lists them; a text that begins with a slash is typed with two.`);
  const incomplete = () => wrong(`Behind /${word} comes ${command.needs.toLowerCase().replace(' ', ' and ')}, as in: ${command.example}`);
  const name = rest.replace(/^#/, '');
  switch (word) {
    case 'me': return rest ? { does: 'say', text: rest, action: true } : incomplete();
    case 'nick': return rest ? { does: 'rename', name: rest } : incomplete();
    case 'join': return rest ? { does: 'join', channel: rest } : incomplete();
    case 'msg': {
      const parts = /^@?(\S+)\s+([^]+)$/u.exec(rest);
      return parts ? { does: 'direct', to: parts[1], text: parts[2] } : incomplete();
    }
    case 'history':
      if (rest !== '' && !/^[1-9]\d{0,3}$/.test(rest)) return wrong('Behind /history comes a number from 1 to 200, as in: /history 100');
      return { does: 'history', limit: rest === '' ? null : Math.min(200, Number(rest)) };
    case 'leave':
    case 'who': return { does: word, channel: name || null };
    default: return { does: word };
  }
}
