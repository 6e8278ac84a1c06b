//! One call of an RPC, unary or server streaming.

use std::net::SocketAddr;
use std::str::FromStr as _;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::MessageDescriptor;
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use super::{Unspeakable, decode, encode, method, shop_descriptors};

/// What was asked of a service, by somebody who stands behind the door.
#[derive(Clone, Debug)]
pub struct Call {
    rpc: String,
    message: Value,
    metadata: MetadataMap,
    patience: Duration,
}

impl Call {
    /// A call of `package.Service/Method` with a message in JSON.
    pub fn new(rpc: &str, message: Value) -> Self {
        Self {
            rpc: rpc.to_owned(),
            message,
            metadata: MetadataMap::new(),
            patience: Duration::from_secs(10),
        }
    }

    /// Adds metadata.
    pub fn metadata(mut self, name: &str, value: &str) -> Result<Self, Unspeakable> {
        let bad = || Unspeakable::BadMetadata(format!("{name}: {value}"));
        let key = MetadataKey::<Ascii>::from_str(name).map_err(|_| bad())?;
        self.metadata.append(key, value.parse().map_err(|_| bad())?);
        Ok(self)
    }

    /// Whether the RPC answers with a stream.
    pub fn streams(&self) -> Result<bool, Unspeakable> {
        Ok(method(&shop_descriptors(), &self.rpc)?.is_server_streaming())
    }

    /// Makes the call. The outer error says that it was never made, the inner one is the service's own.
    pub async fn send(
        self,
        to: SocketAddr,
    ) -> Result<Result<Response<Value>, Status>, Unspeakable> {
        let method = method(&shop_descriptors(), &self.rpc)?;
        let wire = encode(method.input(), &self.message)?;
        let answer = self.transmit(to, wire).await;
        Ok(answer.map(|answer| answer.map(|wire| decode(method.output(), &wire))))
    }

    /// Makes a call whose answer is a stream; see [`send`](Self::send) for the errors. Dropping the stream gives the
    /// call up.
    pub async fn stream(self, to: SocketAddr) -> Result<Result<Messages, Status>, Unspeakable> {
        let method = method(&shop_descriptors(), &self.rpc)?;
        let wire = encode(method.input(), &self.message)?;
        let stream = self.open(to, wire).await;
        Ok(stream.map(|stream| Messages { stream, descriptor: method.output() }))
    }

    async fn transmit(&self, to: SocketAddr, wire: Bytes) -> Result<Response<Bytes>, Status> {
        let (mut client, request, path) = self.prepare(to, wire).await?;
        client.unary(request, path, Raw).await
    }

    async fn open(&self, to: SocketAddr, wire: Bytes) -> Result<Streaming<Bytes>, Status> {
        let (mut client, request, path) = self.prepare(to, wire).await?;
        Ok(client.server_streaming(request, path, Raw).await?.into_inner())
    }

    async fn prepare(
        &self,
        to: SocketAddr,
        wire: Bytes,
    ) -> Result<(tonic::client::Grpc<Channel>, Request<Bytes>, http::uri::PathAndQuery), Status>
    {
        let unreachable = |error| Status::unavailable(format!("{to}: {error}"));
        let endpoint = Endpoint::from_shared(format!("http://{to}")).map_err(unreachable)?;
        let channel = endpoint.timeout(self.patience).connect().await.map_err(unreachable)?;
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.map_err(unreachable)?;
        let path = http::uri::PathAndQuery::from_maybe_shared(format!("/{}", self.rpc))
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut request = Request::new(wire);
        *request.metadata_mut() = self.metadata.clone();
        Ok((client, request, path))
    }
}

/// The messages of a stream, as they come.
#[derive(Debug)]
pub struct Messages {
    stream: Streaming<Bytes>,
    descriptor: MessageDescriptor,
}

impl Messages {
    /// The next message; none at the end.
    pub async fn next(&mut self) -> Result<Option<Value>, Status> {
        let wire = self.stream.message().await?;
        Ok(wire.map(|wire| decode(self.descriptor.clone(), &wire)))
    }
}

/// Passes wire bytes through tonic untouched.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
