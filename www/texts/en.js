// Every sentence that a person reads on the page. To translate the page, translate this file.
//
// Functions fill in names and numbers. Where one returns a list, its parts may be nodes, such as a name in its own
// writing direction.

const number = (n) => n.toLocaleString('en');
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const sentence = (text) => text.replace(/[^.!?]$/, '$&.');

/** Names as a list of parts: at most four, the others counted. */
function list(names) {
  const shown = names.slice(0, names.length > 4 ? 3 : 4);
  const more = names.length - shown.length;
  const parts = shown.flatMap((name, index) => [
    index === 0 ? '' : index === shown.length - 1 && more === 0 ? ' and ' : ', ', name]).slice(1);
  return more > 0 ? [...parts, ` and ${count(more, 'other')}`] : parts;
}

/** Sentences of the server begin with a small letter, because they may follow a colon. */
export const capitalized = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

export const t = {
  /** Texts of the HTML files, by the key in their data attributes. */
  page: {
    skip: 'Skip to the message box', connection: 'Connection', tryNow: 'Try now',
    announcements: 'Announcements', welcome: 'Live chat. Pick a name and you’re in.', yourName: 'Your name',
    roomPassword: 'The room’s password', joinChat: 'Join chat', sidebar: 'Channels and people', notifications: 'Notifications', channels: 'Channels',
    search: 'Search', more: 'More', closeSearch: 'Close search', searchField: 'Search for', results: 'Results',
    scope: 'Where', everywhere: 'Everywhere', inThisRoom: 'Only here', pinned: 'Pinned message', editing: 'Editing your message',
    cancelEdit: 'Cancel editing', actions: 'Message actions', youOwn: 'You own this chat', firstUnread: 'Jump to first unread',
    filter: 'Filter channels', newChannel: 'New channel', createChannel: 'Create channel',
    direct: 'Private messages',
    noDirect: 'Select someone below to message them privately.',
    people: 'People online', changeName: 'Change your name', leaveChat: 'Leave chat',
    leaveChatTitle: 'Sign out and forget your name on this device',
    theme: 'Theme', system: 'System', light: 'Light', dark: 'Dark', keyboard: 'Keyboard',
    shortcuts: 'Keyboard shortcuts', closeMenu: 'Close menu', menu: 'Menu', members: 'Members',
    leaveChannel: 'Leave channel', wire: 'Wire',
    messages: 'Messages', suggestions: 'Suggestions', message: 'Message', send: 'Send',
    closeNotice: 'Close this message', inChannel: 'In this channel', closeMembers: 'Close member list',
    close: 'Close',
    wireIntro: 'A WebSocket as the server sees it: the opening handshake, then each frame, bit by bit.',
    toChat: 'Back to the chat', oneConnection: 'One connection', joinAt: 'Join the chat at',
    otherAddresses: 'Other addresses',
  },

  signIn: {
    proposal: (error, name) => `${sentence(error)} How about ${name}?`,
    take: (name) => `Take ${name}`,
  },

  /** Close codes, without the full stop: the server's reason may follow. */
  closed: {
    1001: 'The server is shutting down or restarting', 1002: 'The server rejected something this page sent',
    1003: 'The server rejected something this page sent', 1007: 'The server rejected something this page sent',
    1008: 'The server closed the connection', 1009: 'A message was too large for the server',
    1011: 'The server ran into an error', 1013: 'The server is too busy right now',
    lost: 'You’ve lost connection',
  },
  connection: {
    offline: 'You’re offline. Try again once you’re reconnected.',
    lostAnswer: 'The connection was lost before the server replied. Please try again.',
    unreachable: 'The server can’t be reached.',
    noWebSocket: 'The server responds, but WebSocket connections fail. Check that your proxy forwards WebSockets '
      + 'and that --origin includes this address.',
    connecting: 'Connecting…',
    reconnectingIn: (seconds) => `Reconnecting in ${seconds} s`,
    reconnecting: 'Reconnecting…',
  },

  chat: {
    restarted: 'The server was restarted, and earlier messages are gone.',
    noEarlier: 'That’s the beginning – there are no earlier messages.',
    cantOpen: (channel, error) => `Can’t open #${channel}: ${error}`,
    unknownChannel: (channel) => `There is no channel #${channel} yet. Create it for everyone?`,
    notInChannel: 'You’re not in a channel. Type /leave followed by its name.',
    cantLeaveHome: (home) => `You can’t leave #${home}. To leave the chat, type /quit.`,
    tryName: (error, name) => `${sentence(capitalized(error))} Try /nick ${name}`,
    list: (where, names, more) => `${where}: ${names.join(', ') || 'no one'}${more > 0 ? `, and ${more} more` : ''}`,
    channels: 'Channels', online: 'Online',
    inChannel: (channel) => `In #${channel}`,
    nothingToSave: 'There are no messages to save here.',
    nothingToSend: 'Type a message first.',
    tooLong: (most, length) => `Messages can be up to ${number(most)} characters; yours is ${number(length)}.`,
    tooLarge: (most, bytes) => `Messages can be up to ${number(most)} bytes as sent; yours is ${number(bytes)}.`,
    onlyInChannels: '/me only works in channels.', noConversation: 'this conversation no longer exists',
    rejected: 'the server closed the connection because of it',
    noFiles: 'Files and pictures can’t be sent here, only text.',
    notStored: (seq) => `Message ${seq} isn’t there: it was removed or is no longer stored.`,
    wireOff: 'The wire view is turned off on this server (--no-trace).',
    leaveTitle: 'Leave chat?',
    leaveLoses: 'You have drafts or messages that weren’t sent. Leaving deletes them.',
    leave: 'Leave and delete them', createTitle: 'New channel', create: 'Create channel',
    renameTitle: 'Change your name', rename: 'Change name', cancel: 'Cancel',
    quote: (name, text, link) => `> ${name}: ${text}${link && ` ${link}`}\n`,
  },

  /** The menus of a message, of a person and of the header. */
  menu: {
    of: (name, text) => `Actions: ${name}: ${text}`,
    react: 'React', moreReactions: 'More reactions…', reply: 'Reply', copyText: 'Copy text', copyLink: 'Copy link',
    copied: 'Copied.', cantCopy: 'The browser doesn’t let this page copy. Copy it from here: ',
    edit: 'Edit', delete: 'Delete', pin: 'Pin', unpin: 'Unpin',
    ignore: (name) => `Ignore ${name}`,
    stopIgnoring: (name) => `Stop ignoring ${name}`,
    message: (name) => `Message ${name}`,
    mute: (name) => `Mute ${name}…`,
    kick: (name) => `Remove ${name}…`,
    transcript: 'Save transcript', dateTitle: 'Jump to date', date: 'Jump to date…', day: 'Day', go: 'Jump',
  },

  search: {
    intro: 'Searches all channels and your private conversations. Parts of words are found, too.',
    none: 'Nothing found.',
    found: (n, more) => `${count(n, 'result')}${more ? ' so far' : ''}`,
    more: 'More results', searching: 'Searching…',
  },

  owner: {
    badge: 'owner', badgeTitle: 'Written by the owner of this chat',
    openDoor: 'Open the door', closeDoor: 'Close the door',
    doorClosed: 'The door is closed: no new people can come in.',
    readOnly: 'Only the owner can write here.',
    slowMode: (seconds) => `One message every ${seconds} s for each person.`,
    who: { all: 'Everyone writes', owner: 'Only the owner writes', 5: 'One message per 5 s', 30: 'One message per 30 s', 300: 'One message per 5 min' },
    everySeconds: (seconds) => `One message per ${seconds} s`,
    writingIn: (channel) => `Who may write in #${channel}`,
    restricted: (n) => `Muted and removed (${n})…`, restrictedTitle: 'Muted and removed people',
    noRestricted: 'No one is muted or removed.',
    muted: (until) => `muted until ${until}`,
    kicked: (until) => `removed until ${until}`,
    undo: 'Undo',
    clear: 'Clear channel', clearMenu: 'Clear this channel…', remove: 'Remove channel', removeMenu: 'Remove this channel…',
    clearTitle: (channel) => `Clear #${channel}?`, clearText: 'All its messages are deleted for everyone. This can’t be undone.',
    removeTitle: (channel) => `Remove #${channel}?`,
    removeText: 'Everyone leaves it, and all its messages are deleted. This can’t be undone.',
    more: 'Owner’s actions', giveUp: 'Give up ownership',
    muteTitle: (name) => `Mute ${name}?`, muteText: 'The person can read, but not write, for the time that you choose.',
    kickTitle: (name) => `Remove ${name}?`, kickText: 'The person is disconnected, and can’t come back for the time that you choose.',
    minutes: (n) => (n < 60 ? `${n} min` : n < 1440 ? count(n / 60, 'hour') : count(n / 1440, 'day')),
    youAreMuted: 'The owner has muted you: you can read, but not write.', youMayWrite: 'You can write again.',
  },

  transcript: {
    title: (room, from, to) => (from === to ? `${room}, ${from}` : `${room}, ${from} to ${to}`),
    made: (n, when) => `${count(n, 'message')}, saved on ${when}.`,
    file: (room, day) => `${room}-${day}.html`,
  },

  room: {
    announce: (title, isChannel) => (isChannel ? `Channel ${title}` : `Private messages with ${title}`),
    online: 'online', offline: 'offline',
    people: (n) => count(n, 'person', 'people'),
    typing: ([one, two], n) => (n > 2 ? ['Several people are typing…'] : n > 1 ? [one, ' and ', two, ' are typing…'] : [one, ' is typing…']),
    synced: (here, all) => `${here} of ${count(all, 'message')}`,
    loading: (n) => `loading ${n} more`,
    notStored: (n) => `${count(n, 'older message')} not stored`,
    complete: 'nothing missing',
    asOf: (status, time) => `Offline. As of ${time}: ${status}`,
  },

  sidebar: {
    noMatch: 'No channels match.',
    unread: (n) => `${n} unread`,
    mentioned: 'mentioned', you: '(you)',
    others: (n) => `and ${count(n, 'other')}`,
  },

  feed: {
    older: 'Load earlier messages', latest: 'Jump to latest',
    newMessages: (n) => count(n, 'new message'),
    new: 'New', today: 'Today', yesterday: 'Yesterday', gone: 'Older messages are no longer stored.',
    gap: 'Some messages here are no longer stored.',
    startChannel: (name) => `This is the beginning of #${name}.`,
    empty: 'No messages yet. Say hello, or share this link: ',
    startDirect: (name) => ['This is your private conversation with ', name, '.'],
    private: 'Only the two of you can see it here. The operator of the server can read everything.',
    author: (n) => `${n}${['th', 'st', 'nd', 'rd'][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? 'th'}`,
    authorTitle: 'Different people have used this name.',
    joined: (names) => [...list(names), ' joined'],
    left: (names) => [...list(names), ' left'],
    renamed: (from, to) => [from, ' is now called ', to],
    notSent: (error) => `Not sent: ${sentence(error)} `,
    edited: '(edited)', editedAt: (when) => `Edited ${when}`,
    deleted: (name) => (name ? ['Message deleted by ', name, '.'] : ['Message deleted.']), deleting: 'Message deleted. ', undo: 'Undo',
    ignored: (n) => `${count(n, 'ignored message')} `, showIgnored: 'Show',
    reaction: (emoji, n, mine) => `${emoji} ${n}${mine ? ', with yours' : ''}`,
    retry: 'Try again', delete: 'Delete', sending: 'sending…', waiting: 'Waiting to send…',
    leadsTo: (host) => ` (leads to ${host})`,
  },

  composer: {
    placeholder: (title) => `Message ${title}`,
    left: (n) => `${count(n, 'character')} left`,
    over: (n, unit) => `${count(n, unit)} over the limit`,
  },

  switcher: {
    title: 'Jump to', field: 'Channel or person', none: 'No matches. Use /join to create a channel.',
  },

  /** Commands that can be typed: the word, what it needs, what it does, and an example. */
  commands: [
    { word: 'me', needs: 'TEXT', does: 'describe an action', example: '/me waves' },
    { word: 'msg', needs: 'NAME TEXT', does: 'send a private message', example: '/msg Ada hello' },
    { word: 'nick', needs: 'NAME', does: 'change your name', example: '/nick Ada' },
    { word: 'join', needs: 'CHANNEL', does: 'join or create a channel', example: '/join garden' },
    { word: 'leave', needs: '[CHANNEL]', does: 'leave this channel, or another' },
    { word: 'who', needs: '[CHANNEL]', does: 'list who’s in this channel, or another' },
    { word: 'channels', needs: '', does: 'list all channels' },
    { word: 'edit', needs: 'NUMBER TEXT', does: 'change one of your messages', example: '/edit 842 better text' },
    { word: 'delete', needs: 'NUMBER', does: 'delete a message', example: '/delete 842' },
    { word: 'react', needs: 'NUMBER EMOJI', does: 'react to a message', example: '/react 842 👍' },
    { word: 'unreact', needs: 'NUMBER EMOJI', does: 'take a reaction back', example: '/unreact 842 👍' },
    { word: 'search', needs: 'TEXT', does: 'search all messages', example: '/search address' },
    { word: 'history', needs: '[N]', does: 'load earlier messages' },
    { word: 'own', needs: 'KEY', does: 'become the owner of this chat', example: '/own 4f5e6d' },
    { word: 'mute', needs: 'NAME MINUTES', does: 'owner: stop a person from writing; 0 ends it', example: '/mute Ada 10' },
    { word: 'kick', needs: 'NAME MINUTES', does: 'owner: remove a person; 0 lets them back', example: '/kick Ada 10' },
    { word: 'door', needs: 'open|closed', does: 'owner: let new people in, or not', example: '/door closed' },
    { word: 'writing', needs: '[CHANNEL] all|owner|SECONDS', does: 'owner: set who may write', example: '/writing owner' },
    { word: 'pin', needs: 'NUMBER|none', does: 'owner: pin a message of this channel', example: '/pin 842' },
    { word: 'clear', needs: '[CHANNEL]', does: 'owner: delete all messages here, or in another channel' },
    { word: 'remove', needs: 'CHANNEL', does: 'owner: remove a channel', example: '/remove garden' },
    { word: 'help', needs: '', does: 'show these commands' },
    { word: 'quit', needs: '', does: 'leave the chat' },
  ],
  command: {
    slash: 'To send a line that starts with a slash, type two: //like this',
    unknown: (word) => `/${word} isn’t a command. Type /help for the list, or // to send a message that starts with a slash.`,
    incomplete: (word, needs, example) => `/${word} needs ${needs}, for example: ${example ?? `/${word}`}`,
    historyNumber: '/history takes a number from 1 to 200, for example: /history 100',
  },

  bell: {
    mentioned: (name, channel) => `${name} mentioned you in #${channel}`,
    wrote: (name) => `${name} wrote to you`,
    unsupported: 'This browser shows no notifications for this page. You’ll hear a sound instead.',
    needsHttps: 'This page came over plain HTTP, where browsers show no notifications. You’ll hear a sound instead. '
      + 'With HTTPS you would see them too.',
    on: 'Notifications are on',
    soundOnly: 'Notifications: sound only',
    blocked: 'Notifications are blocked for this site. Allow them in your browser’s site settings, then click the bell again.',
    notAllowed: 'Notifications weren’t allowed. Click the bell again and choose Allow.',
  },

  /** The dialog of keyboard shortcuts. */
  keys: [
    ['Ctrl+K', 'jump to a channel or a person'],
    ['Ctrl+F', 'search (again: the browser’s own search)'],
    ['Alt+↑, Alt+↓', 'previous / next conversation'],
    ['Alt+Shift+↑, Alt+Shift+↓', 'previous / next unread'],
    ['Enter', 'send (new line on touch keyboards)'],
    ['Shift+Enter', 'new line'],
    ['Ctrl+Enter', 'send, on any keyboard'],
    ['↑ in an empty box', 'edit your last message'],
    ['Tab from the messages', 'actions for a message; ↑ and ↓ choose another'],
    ['@, :, /', 'complete a name, emoji or command (Tab or Enter)'],
    ['Escape', 'close, then back to the message box'],
    ['Ctrl+/', 'show keyboard shortcuts'],
  ],

  join: {
    onlyHere: 'Only this computer can reach it. To let others join, start the server with --listen 0.0.0.0:8080.',
    withPassword: 'These links contain the room’s password. Only you, the owner, see them.',
    code: (address) => `QR code of ${address}`,
  },

  wire: {
    close: 'Close the wire view', again: 'Start from the handshake',
    againTitle: 'Reconnects; others won’t notice', connectTo: 'Connect to',
    echo: '/echo: sends everything back', chat: '/chat: the chat', connect: 'Connect', disconnect: 'Close',
    text: 'Text message', send: 'Send', echoHint: 'Whatever you send comes back.',
    chatHint: 'The chat accepts JSON or plain lines. Start with /nick YourName.',
    closed: (code, reason) => `Closed: ${code} ${reason}`,
    noTrace: 'No trace received: the server is unreachable, refuses this page’s origin, or has the wire view turned off (--no-trace).',
    frames: 'Frames', details: 'Details', select: 'Select a frame to see what’s inside.', show: 'Show',
    all: 'All frames',
    only: (opcode) => `${opcode} only`,
    copy: 'Copy as hex', copyThis: 'Copy this as hex', copied: 'Copied', cantCopy: 'Can’t copy here',
    clear: 'Clear', pause: 'Pause',
    paused: (n) => `Paused; ${n} waiting.`,
    skipped: (n) => `${count(n, 'frame')} skipped`,
    handshake: 'opening handshake', unreadable: 'unreadable', bits: 'Bit by bit (RFC 6455 §5.2)',
    bitsLabel: 'The bits of the frame, in rows of 32. Its fields are listed below.',
    fields: 'Fields', bytes: 'Bytes', bytesLabel: 'Bytes in hex',
    byteRange: (from, to) => (to - from === 1 ? `byte ${from}` : `bytes ${from} to ${to - 1}`),
    size: (n) => count(n, 'byte'),
    frame: (n, isIn, opcode, length, shown) => `Frame ${n}, from the ${isIn ? 'client to the server' : 'server to the client'}: `
      + `${opcode}, ${count(length, 'byte')}${shown < length ? `; the first ${shown} are shown` : ''}.`,
    part: (label, length, shown) => `${label}: ${count(length, 'byte')}${shown < length ? `, the first ${shown}` : ''}`,
    payload: 'Payload', compressed: 'Payload, compressed', inflated: 'The message, inflated (RFC 7692)',
    unmasked: 'Unmasked',
    masking: 'Each payload byte is XORed with a byte of the key (§5.3)',
    maskingRows: ['sent', 'key', 'plain', 'letter'],
    closeFrame: 'Close',
    handshakeIntro: 'The opening handshake: the client sends an HTTP request asking to switch protocols, and the response '
      + 'proves that the server understood it.',
    request: 'The request', response: 'The response',
    acceptTitle: 'How Sec-WebSocket-Accept is computed (RFC 6455 §4.2.2, 5.4)',
    accept: ['the request’s key', 'plus the GUID from the RFC', 'its SHA-1 (20 bytes, in hex)', 'those 20 bytes in base64'],
  },

  builder: {
    title: 'Build a frame by hand', example: 'Pick an example', choose: 'Choose …', build: 'Or build a frame',
    opcode: 'Opcode', reserved: 'reserved', length: 'Length',
    lengths: { shortest: 'shortest', 16: '16-bit length', 64: '64-bit length' },
    payload: 'Payload', isHex: 'Payload is hex', hex: 'Frames in hex, one after another', sentBy: 'Sent by',
    client: 'From a client (checked by the server)', server: 'From a server (checked by a client)',
    deflate: 'Compression negotiated', try: 'Try it', result: 'What the server says', verdict: 'The verdict',
    frame: (n) => `Frame ${n}`,
    violation: ({ section, sentence: rule, code }) => `${section.replace(/^(RFC (?:6455|7692)) /, '$1 §')}: ${rule}. The server closes with ${code}.`,
    outcomes: {
      whole: 'Valid: a complete message.', fragment: 'Valid: more fragments to follow.',
      unfinished: 'Valid so far, but incomplete.', unread: 'Ignored: it comes after a close frame.',
    },
    received: (opcode, length) => `Received: ${opcode}, ${count(length, 'byte')}: `,
    reply: 'Reply: ',
    examples: {
      text: 'A text message, as it should be',
      fragments: 'A message in two fragments, with a ping between',
      close: 'A close frame: 1000 and a reason', unmasked: 'Not masked', reservedBit: 'A reserved bit',
      compressed: 'Compressed without negotiation', opcode: 'A reserved opcode',
      notUtf8: 'Text that is not UTF-8', cutCharacter: 'A message ending mid-character',
      pingFragment: 'A ping in fragments', longPing: 'A ping of 126 bytes',
      noStart: 'A continuation with nothing to continue', nested: 'A new message within a message',
      longLength: 'A length that is not minimal', hugeLength: 'A length of 2⁶³',
      tooBig: 'A message that is too large', halfCode: 'A close frame with a 1-byte code',
      code1005: 'The close code 1005', badReason: 'A close reason that is not UTF-8',
    },
  },
};
