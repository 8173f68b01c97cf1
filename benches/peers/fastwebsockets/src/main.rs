//! A minimal chat server on `fastwebsockets` and hyper, after their examples: `hello`, `join`,
//! `message` and `direct` of parlor's protocol, in one thread. An event is encoded once for all
//! receivers. The library writes each frame separately.

#[path = "../../chat.rs"]
mod chat;

use bytes::Bytes;
use chat::{Chat, Own};
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;
use tokio::sync::mpsc::unbounded_channel;

type Shared = Rc<RefCell<Chat<Out>>>;

/// An item of a connection's output queue.
#[derive(Clone)]
enum Out {
    Text(Bytes),
    /// A pong, or the reply to a close frame.
    Control(OpCode, Bytes),
}

impl From<String> for Out {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    chat::listen("fastwebsockets", |stream, chat| {
        let service = service_fn(move |request| ready(upgraded(request, &chat)));
        tokio::task::spawn_local(
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades(),
        );
    })
    .await
}

fn upgraded(
    mut request: Request<Incoming>,
    chat: &Shared,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgrade) = upgrade(&mut request)?;
    let echo = request.uri().path() == "/echo";
    let chat = Rc::clone(chat);
    tokio::task::spawn_local(async move {
        if echo {
            echoes(upgrade).await
        } else {
            serve(upgrade, chat).await
        }
    });
    Ok(response)
}

async fn echoes(upgrade: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgrade.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn serve(upgrade: UpgradeFut, chat: Shared) -> Result<(), WebSocketError> {
    let (messages, mut out) = upgrade.await?.split(tokio::io::split);
    let mut messages = FragmentCollectorRead::new(messages);
    let (sender, mut receiver) = unbounded_channel::<Out>();
    tokio::task::spawn_local(async move {
        while let Some(next) = receiver.recv().await {
            let frame = match &next {
                Out::Text(text) => Frame::text(Payload::Borrowed(text)),
                Out::Control(opcode, payload) => {
                    Frame::new(true, *opcode, None, Payload::Borrowed(payload))
                }
            };
            if out.write_frame(frame).await.is_err() {
                return;
            }
        }
    });
    let mut control = |frame: Frame<'_>| {
        ready(sender.send(Out::Control(
            frame.opcode,
            Bytes::copy_from_slice(&frame.payload),
        )))
    };
    let mut own = Own::default();
    while let Ok(frame) = messages.read_frame(&mut control).await
        && frame.opcode != OpCode::Close
    {
        if frame.opcode == OpCode::Text {
            chat.borrow_mut().apply(&mut own, &sender, &frame.payload);
        }
    }
    chat.borrow_mut().gone(&own);
    Ok(())
}
