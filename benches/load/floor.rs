//! The floors: servers that only write, so that their cost is the least that a chat can cost.
//!
//! *floor* answers each message with one `write(2)` of a prepared frame to every socket.
//! *floor-batched* joins the frames for a socket in one turn of the loop into one write. Neither
//! parses anything: all frames of a run have the same length, so the number of bytes gives the
//! number of frames. Only the sender's mark is written into the prepared frame, so that the
//! generator recognizes its own messages.
//!
//! `generator` sends messages to them.

use crate::text::{MARK, head_of_answer, ready_event, server_frame};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

/// The parameters of a run.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Whether all frames for a socket in a turn are joined into one write.
    pub(crate) batched: bool,
    /// Whether a message goes only to its sender.
    pub(crate) echo: bool,
    /// Length of a text, in bytes.
    pub(crate) text: usize,
    /// Length of a frame from the generator, in bytes.
    pub(crate) sent: usize,
}

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 64 << 10;

struct Peer {
    socket: TcpStream,
    number: usize,
    /// Answers sent so far: to the request head, to `hello`, to `join`.
    answered: usize,
    /// Bytes received of an incomplete frame.
    partial: usize,
    /// Bytes that the socket did not accept.
    backlog: VecDeque<u8>,
}

/// A server with one thread and one loop, as parlor has.
pub(crate) struct Floor {
    shape: Shape,
    peers: Vec<Option<Peer>>,
    vacant: Vec<usize>,
    accepted: usize,
    members: Vec<usize>,
    /// The prepared frame, and the offset of the sender's mark in it.
    frame: Vec<u8>,
    mark: usize,
    /// The frames to send in this turn.
    turn: Vec<u8>,
}

impl Floor {
    pub(crate) fn new(shape: Shape) -> Self {
        let frame = if shape.echo {
            server_frame(&vec![b'x'; shape.text])
        } else {
            server_frame(ready_event(shape.text).as_bytes())
        };
        let mark = frame
            .iter()
            .position(|byte| *byte == MARK)
            .map_or(0, |mark| mark + 1);
        let (peers, vacant, members, turn) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            shape,
            peers,
            vacant,
            accepted: 0,
            members,
            frame,
            mark,
            turn,
        }
    }

    /// Serves until the process is killed.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(1_024);
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        rustix::net::listen(&listener, 1_024)?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        println!("floor listening on http://{}", listener.local_addr()?);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(&listener, &poll)?,
                    Token(index) => {
                        if event.is_writable() {
                            self.write(index, None);
                        }
                        if event.is_readable() {
                            self.read(index, &mut buffer);
                        }
                    }
                }
            }
            self.end_turn();
        }
    }

    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true)?;
            let index = self.vacant.pop().unwrap_or(self.peers.len());
            poll.registry().register(
                &mut socket,
                Token(index),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            if index == self.peers.len() {
                self.peers.push(None);
            }
            self.peers[index] = Some(Peer {
                socket,
                number: self.accepted,
                answered: 0,
                partial: 0,
                backlog: VecDeque::new(),
            });
            self.accepted += 1;
        }
        Ok(())
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) {
        loop {
            let Some(peer) = &mut self.peers[index] else {
                return;
            };
            match peer.socket.read(buffer) {
                Ok(0) => return self.gone(index),
                Ok(count) => {
                    self.take(index, count);
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.gone(index),
            }
        }
    }

    fn gone(&mut self, index: usize) {
        self.peers[index] = None;
        self.vacant.push(index);
        self.members.retain(|member| *member != index);
    }

    /// Handles this many received bytes. Their number tells which messages they are.
    fn take(&mut self, index: usize, count: usize) {
        let Some(peer) = &mut self.peers[index] else {
            return;
        };
        let answers = if self.shape.echo { 1 } else { 3 };
        if peer.answered < answers {
            peer.answered += 1;
            let answer = match peer.answered {
                1 => head_of_answer(),
                2 => server_frame(crate::text::WELCOME.as_bytes()),
                _ => server_frame(crate::text::JOINED.as_bytes()),
            };
            if peer.answered == 3 {
                self.members.push(index);
            }
            return self.write(index, Some(&answer));
        }
        let number = peer.number;
        peer.partial += count;
        let messages = peer.partial / self.shape.sent;
        peer.partial %= self.shape.sent;
        if !self.shape.echo {
            self.frame[self.mark..self.mark + 5].copy_from_slice(format!("{number:05}").as_bytes());
        }
        let frame = std::mem::take(&mut self.frame);
        if self.shape.echo && self.shape.batched {
            let echoes = frame.repeat(messages);
            self.write(index, Some(&echoes));
        } else {
            for _ in 0..messages {
                match self.shape {
                    Shape { echo: true, .. } => self.write(index, Some(&frame)),
                    Shape { batched: true, .. } => self.turn.extend_from_slice(&frame),
                    Shape { .. } => self.write_all(&frame),
                }
            }
        }
        self.frame = frame;
    }

    fn end_turn(&mut self) {
        if !self.turn.is_empty() {
            let turn = std::mem::take(&mut self.turn);
            self.write_all(&turn);
            self.turn = turn;
            self.turn.clear();
        }
    }

    fn write_all(&mut self, bytes: &[u8]) {
        let members = std::mem::take(&mut self.members);
        for member in &members {
            self.write(*member, Some(bytes));
        }
        self.members = members;
    }

    /// Writes the backlog, then these bytes. An error is ignored: the next read reports it.
    fn write(&mut self, index: usize, bytes: Option<&[u8]>) {
        let Some(peer) = &mut self.peers[index] else {
            return;
        };
        let mut bytes = bytes.unwrap_or(&[]);
        if peer.backlog.is_empty() {
            if bytes.is_empty() {
                return;
            }
            bytes = &bytes[peer.socket.write(bytes).unwrap_or(0)..];
        }
        peer.backlog.extend(bytes);
        while !peer.backlog.is_empty() {
            let (front, _) = peer.backlog.as_slices();
            let Ok(count) = peer.socket.write(front) else {
                return;
            };
            peer.backlog.drain(..count);
        }
    }
}
