// The page: jQuery shows the socket's events and emits the user's actions. It needs to know neither
// WebSocket nor parlor.

if (!window.jQuery) {
  const problem = 'jQuery is missing: run npm ci in examples/make-chat.';
  document.getElementById('status').textContent = problem;
  throw new Error(problem);
}

const socket = io();
let channel = 'General';

const item = (text) => $('<li>').text(text);

function showUsers(online) {
  $('#users').empty().append(Object.keys(online).map(item));
}

function showChannel(name) {
  const button = $('<button type="button">').text(name);
  button.on('click', () => socket.emit('user changed channel', name));
  $('#channels').append($('<li>').append(button));
}

function showMessage({ sender, message }) {
  const feed = $('#feed');
  const isAtEnd = feed[0].scrollHeight - feed.scrollTop() - feed.height() < 40;
  feed.append($('<li>').append($('<b>').text(sender), ' ', $('<span>').text(message)));
  if (isAtEnd) feed.scrollTop(feed[0].scrollHeight);
}

socket.on('connect', () => $('#status').text(''));
socket.on('disconnect', () => {
  $('#status').text('The connection is lost. What you write is sent when it is back.');
});
socket.on('connect_error', (error) => $('#status').text(`No connection (${error.message}) …`));

socket.on('get online users', showUsers);
socket.on('user has left', showUsers);
socket.on('new user', (name) => $('#users').append(item(name)));
socket.on('new channel', showChannel);
socket.on('user changed channel', (data) => {
  channel = data.channel;
  $('#channels button').each((_, button) => {
    $(button).attr('aria-current', button.textContent === channel ? 'true' : null);
  });
  $('#feed').empty();
  data.messages.forEach(showMessage);
});
socket.on('new message', (data) => {
  if (data.channel === channel) showMessage(data);
});

/** Empties the field of a form, and returns what was in it. */
const taken = (id) => {
  const text = $(id).val();
  $(id).val('');
  return text;
};

$('#enter').on('submit', (event) => {
  event.preventDefault();
  socket.emit('new user', taken('#name'), (name) => {
    $('#message').attr('placeholder', `Write as ${name}`);
    $('#enter').prop('hidden', true);
    $('#chat').prop('hidden', false);
    $('#message').trigger('focus');
  });
});
$('#create').on('submit', (event) => {
  event.preventDefault();
  socket.emit('new channel', taken('#channel'));
});
$('#compose').on('submit', (event) => {
  event.preventDefault();
  socket.emit('new message', { sender: 'me', message: taken('#message'), channel });
});

showChannel(channel);
socket.emit('get online users');
socket.emit('user changed channel', channel);
