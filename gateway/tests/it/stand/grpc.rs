//! A gRPC client that sends and receives messages as the bytes they are.

use bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use super::gate::Gate;
use super::soon;

impl Gate {
    /// A connection for gRPC.
    pub(crate) async fn grpc(&self) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        Client(endpoint.connect().await.unwrap())
    }
}

/// A client of any RPC.
pub(crate) struct Client(Channel);

impl Client {
    /// Calls an RPC of the kitchen, or one with its full name.
    pub(crate) async fn call(
        &self,
        rpc: &str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        let mut grpc = Grpc::new(self.0.clone());
        grpc.ready().await.unwrap();
        let path = path(rpc).parse().unwrap();
        soon("an answer over gRPC", grpc.unary(request, path, Untouched)).await
    }

    /// Calls a streaming RPC of the kitchen.
    pub(crate) async fn stream(
        &self,
        rpc: &str,
        request: Request<Bytes>,
    ) -> Result<Response<Streaming<Bytes>>, Status> {
        let mut grpc = Grpc::new(self.0.clone());
        grpc.ready().await.unwrap();
        let path = path(rpc).parse().unwrap();
        soon("a stream over gRPC", grpc.server_streaming(request, path, Untouched)).await
    }
}

fn path(rpc: &str) -> String {
    if rpc.contains('/') { format!("/{rpc}") } else { format!("/kitchen.v1.Kitchen/{rpc}") }
}

#[derive(Clone, Copy)]
struct Untouched;

impl Codec for Untouched {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, destination: &mut EncodeBuf<'_>) -> Result<(), Status> {
        destination.put(item);
        Ok(())
    }
}

impl Decoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
