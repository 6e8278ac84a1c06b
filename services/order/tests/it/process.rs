//! The service as a process: killed by the system, and told nonsense on its command line.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use proto::order::v1::OrderStatus;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tonic::{Code, transport::Channel};

use crate::bed::{Bed, Fault, Gate, Rpc, Service, create};

fn order(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order"));
    command.args(arguments).stderr(Stdio::piped()).kill_on_drop(true);
    for name in ["RUST_LOG", "ADDRESS", "DATABASE", "PRODUCT_ADDR", "PAYMENT_ADDR"] {
        command.env_remove(name);
    }
    command
}

/// A process over the bed's file that has said that it serves.
async fn serving(bed: &Bed, address: &str) -> (Child, Service) {
    let (database, middle) = (bed.order_database(), bed.middle.address.to_string());
    let arguments =
        ["--address", address, "--database", &database, "--product", &middle, "--payment", &middle];
    let mut child = order(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("\"message\":\"serving\"") {
                return;
            }
        }
        panic!("it ended");
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    (child, Service::elsewhere(channel))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_kill_9_between_reservation_and_intent() {
    let bed = Bed::new().await;
    let address =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
    let (mut child, service) = serving(&bed, &address).await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Open, [Fault::HeldBefore(gate.clone())]);
    let lost = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    gate.reached().await;
    child.kill().await.unwrap();
    lost.await.unwrap().unwrap_err();
    assert_eq!(bed.stock(), (119, 1, 0));

    let (_child, service) = serving(&bed, &address).await;
    gate.open();
    let order = service.orders_of("123").await.remove(0);
    service.reaches(&order.id, OrderStatus::AwaitingPayment).await;
    bed.adds_up().await;
    assert_eq!(bed.stock(), (119, 1, 0));
    let told = loop {
        // Until the lease of the dead runs out.
        match service.create("123", "k-1", &[("p-1", 1)]).await {
            Err(status) if status.code() == Code::Aborted => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            told => break told.unwrap().into_inner(),
        }
    };
    assert_eq!(told.id, order.id);
    bed.pay("123", "k-1", &order.id).await.unwrap();
    service.reaches(&order.id, OrderStatus::Confirmed).await;
    bed.adds_up().await;
}

#[tokio::test]
async fn a_bad_address_of_a_peer_is_a_bad_command_line() {
    for arguments in
        [["--product", "nowhere"], ["--payment", "https://127.0.0.1:1"], ["--product", ""]]
    {
        let output = order(&arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
    let output = order(&[]).env("PAYMENT_ADDR", "127.0.0.1:port").output().await.unwrap();
    assert_eq!(output.status.code(), Some(64));
}
