//! `demo compare`: one door against the services themselves, counted and timed.
//!
//! Both clients load the same page: a user, the user's orders, the products in them. What goes over the wires in between
//! is counted by the wires ([`Tap`]), not by the clients. One load proves nothing about time, so each client loads the
//! page several times, in turn, and the middle counts. Nothing is changed: this only reads.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use proto::order::v1::{ListOrdersRequest, order_service_client::OrderServiceClient};
use proto::product::v1::{BatchGetProductsRequest, product_service_client::ProductServiceClient};
use proto::user::v1::{GetUserRequest, user_service_client::UserServiceClient};
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Request;

use super::tap::Tap;
use super::{PortArgs, fail, say};
use crate::role::{Ports, Role};
use crate::shop::PASSWORD;

type AnyError = Box<dyn Error + Send + Sync>;

/// Whose page it is.
const USER: &str = "123";
const EMAIL: &str = "ada@example.com";
/// The products on the page of somebody who has not ordered anything.
const INSTEAD: [&str; 2] = ["p-1", "p-2"];
/// How often each client loads the page: an odd number has a middle.
const LOADS: usize = 9;

/// Loads one page (user 123, their orders, the products in them) through the door and from the services themselves.
///
/// It signs in as Ada and only reads: nothing is ordered. Each way is taken several times, in turn; the table shows the
/// median of the times and how far they lie apart.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// How long a round trip between the client and the shop takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 40)]
    round_trip: u64,
    #[command(flatten)]
    ports: PortArgs,
}

impl Compare {
    pub(super) async fn main(self) -> ExitCode {
        let round_trip = Duration::from_millis(self.round_trip);
        match compare(&self.ports.ports(), round_trip).await {
            Ok(table) => {
                say(&table);
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!(
                "can't compare: {error} (does the shop run? start it with: demo run)"
            )),
        }
    }
}

/// What one way of loading the page took.
struct Bill {
    addresses: u64,
    connections: u64,
    requests: u64,
    bytes: u64,
    took: Duration,
    /// The names of the products on the page: proof that both loaded the same.
    page: BTreeSet<String>,
}

async fn compare(ports: &Ports, round_trip: Duration) -> Result<String, AnyError> {
    let token = sign_in(ports).await?;
    let (mut direct_bills, mut door_bills) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        direct_bills.push(direct(ports, round_trip).await?);
        door_bills.push(door(ports, round_trip, &token).await?);
    }
    let (direct, door) = (middle(direct_bills)?, middle(door_bills)?);
    if direct.bill.page != door.bill.page {
        return Err("the two pages differ".into());
    }
    let row =
        |what: &str, direct: String, door: String| format!("  {what:<38}{direct:>14}{door:>14}");
    let count = |what: &str, number: fn(&Bill) -> u64| {
        row(what, number(&direct.bill).to_string(), number(&door.bill).to_string())
    };
    let rows = [
        row("", "the services".to_owned(), "the door".to_owned()),
        count("addresses the client must know", |bill| bill.addresses),
        count("connections it opens", |bill| bill.connections),
        count("requests it sends", |bill| bill.requests),
        count("bytes on its line, both ways", |bill| bill.bytes),
        count("milliseconds until the page is there", |bill| millis(bill.took)),
        row("  of all loads, fastest to slowest", direct.spread(), door.spread()),
        row("what it speaks", "gRPC".to_owned(), "HTTP, JSON".to_owned()),
        row("who says that it is user 123", "itself".to_owned(), "its token".to_owned()),
    ];
    let head = format!(
        "One page: user {USER}, their orders, {} products. A round trip takes {} ms.\n\
         Loaded {LOADS} times each way, in turn; the milliseconds are the median.",
        door.bill.page.len(),
        round_trip.as_millis()
    );
    Ok(format!("{head}\n\n{}", rows.join("\n")))
}

/// The load that took the median of the times, and the times at both ends.
struct Middle {
    bill: Bill,
    fastest: Duration,
    slowest: Duration,
}

impl Middle {
    fn spread(&self) -> String {
        format!("{} to {}", millis(self.fastest), millis(self.slowest))
    }
}

fn middle(mut bills: Vec<Bill>) -> Result<Middle, AnyError> {
    bills.sort_by_key(|bill| bill.took);
    let (Some(first), Some(last)) = (bills.first(), bills.last()) else {
        return Err("nothing was loaded".into());
    };
    let (fastest, slowest) = (first.took, last.took);
    let bill = bills.swap_remove(bills.len() / 2);
    Ok(Middle { bill, fastest, slowest })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn sign_in(ports: &Ports) -> Result<String, AnyError> {
    let (client, base) = (reqwest::Client::new(), ports.base());
    let login = client
        .post(format!("{base}/api/auth/login"))
        .json(&json!({"email": EMAIL, "password": PASSWORD}));
    let answer: Value = login.send().await?.error_for_status()?.json().await?;
    Ok(answer["accessToken"].as_str().ok_or("the login gave no token")?.to_owned())
}

/// Which products are on the page.
fn or_instead(mut ids: BTreeSet<String>) -> Vec<String> {
    if ids.is_empty() {
        ids.extend(INSTEAD.map(str::to_owned));
    }
    ids.into_iter().collect()
}

async fn lay(address: SocketAddr, round_trip: Duration) -> Result<(Tap, String), AnyError> {
    let tap = Tap::lay(address, round_trip).await?;
    let near = format!("http://{}", tap.address());
    Ok((tap, near))
}

/// A client that knows the services. It says itself who it is, and they have to believe it: that is why nobody but the
/// gateway may reach them.
async fn direct(ports: &Ports, round_trip: Duration) -> Result<Bill, AnyError> {
    fn signed<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("x-principal-id", tonic::metadata::MetadataValue::from_static(USER));
        request
    }
    let (user_wire, user_at) = lay(ports.address(Role::User), round_trip).await?;
    let (order_wire, order_at) = lay(ports.address(Role::Order), round_trip).await?;
    let (product_wire, product_at) = lay(ports.address(Role::Product), round_trip).await?;

    let start = Instant::now();
    let user = async {
        let mut users = UserServiceClient::connect(user_at).await?;
        users.get_user(signed(GetUserRequest { id: USER.to_owned() })).await.map_err(AnyError::from)
    };
    let orders = async {
        let mut orders = OrderServiceClient::connect(order_at).await?;
        let whose = ListOrdersRequest { user_id: USER.to_owned(), ..ListOrdersRequest::default() };
        orders.list_orders(signed(whose)).await.map_err(AnyError::from)
    };
    let (_user, orders) = tokio::try_join!(user, orders)?;
    let items = orders.into_inner().orders.into_iter().flat_map(|order| order.items);
    let ids: BTreeSet<String> = items.map(|item| item.product_id).collect();
    let mut products = ProductServiceClient::connect(product_at).await?;
    let wanted = BatchGetProductsRequest { ids: or_instead(ids) };
    let found = products.batch_get_products(signed(wanted)).await?.into_inner().products;
    let took = start.elapsed();

    let wires = [user_wire, order_wire, product_wire];
    Ok(Bill {
        addresses: 3,
        connections: wires.iter().map(Tap::connections).sum(),
        requests: 3,
        bytes: wires.iter().map(Tap::bytes).sum(),
        took,
        page: found.into_iter().map(|product| product.name).collect(),
    })
}

/// A client that knows the door: one address, one connection (HTTP/2, so that two requests need not wait for each
/// other), JSON, and a token that the gateway checks.
async fn door(ports: &Ports, round_trip: Duration, token: &str) -> Result<Bill, AnyError> {
    let (wire, base) = lay(ports.address(Role::Gateway), round_trip).await?;
    let client = reqwest::Client::builder().http2_prior_knowledge().build()?;
    let load = async |path: String| {
        let answer = client
            .get(format!("{base}{path}"))
            .bearer_auth(token)
            .send()
            .await?
            .error_for_status()?;
        answer.json::<Value>().await.map_err(AnyError::from)
    };

    let start = Instant::now();
    let user = load(format!("/api/users/{USER}"));
    let orders = load(format!("/api/users/{USER}/orders"));
    let (_user, orders) = tokio::try_join!(user, orders)?;
    let items = orders["orders"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|order| order["items"].as_array())
        .flatten();
    let ids = items.filter_map(|item| item["productId"].as_str()).map(str::to_owned).collect();
    let query: Vec<String> = or_instead(ids).into_iter().map(|id| format!("ids={id}")).collect();
    let products = load(format!("/api/products:batchGet?{}", query.join("&"))).await?;
    let took = start.elapsed();

    let names = products["products"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|product| product["name"].as_str());
    Ok(Bill {
        addresses: 1,
        connections: wire.connections(),
        requests: 3,
        bytes: wire.bytes(),
        took,
        page: names.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_load_does_not_decide() {
        let bill = |took| Bill {
            addresses: 1,
            connections: 1,
            requests: 3,
            bytes: 10,
            took: Duration::from_millis(took),
            page: BTreeSet::new(),
        };
        let middle = middle([150, 9000, 152, 149, 151].map(bill).into()).unwrap();
        assert_eq!(middle.bill.took, Duration::from_millis(151));
        assert_eq!(middle.spread(), "149 to 9000");
    }
}
