//! Streams as a page in a real browser sees them: by `EventSource`, and by `fetch` with a token.

use std::time::Duration;

use bytes::Bytes;
use e2e::bed::Bed;
use e2e::browser::Browser;
use e2e::dynamic::Call;
use e2e::role::Role;
use e2e::scripted::{Piece, Scripted};
use e2e::wait::eventually;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tonic::Code;

use crate::browser::at;
use crate::stand::{adjust_stock, before_product, setup, shared};
use crate::streaming::{ARRAY, EVENTS, LINES, WATCH, WATCH_PRODUCTS};

/// A browser waits some seconds before it opens a stream again that broke.
const AGAIN: Duration = Duration::from_secs(20);

/// Opens an event source in the page; what it sees is there for [`seen`].
async fn listen(browser: &Browser, path: &str) {
    let script = "
        const seen = window.seen = {ids: [], stocks: [], ends: 0, errors: []};
        const source = window.source = new EventSource(given);
        source.addEventListener('message', event => {
            const change = JSON.parse(event.data);
            seen.ids.push(event.lastEventId);
            seen.stocks.push(change.product?.stock);
        });
        source.addEventListener('end', () => seen.ends += 1);
        // The gateway's own word has data, what the browser says of the connection has none.
        source.addEventListener('error', event => event.data && seen.errors.push(JSON.parse(event.data).code));
        await new Promise(resolve => source.addEventListener('open', resolve, {once: true}));";
    browser.run(script, json!(path)).await;
}

/// What the event source has seen, once that is so.
async fn seen(browser: &Browser, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, AGAIN, async || {
        let script = "return {...window.seen, state: window.source.readyState};";
        Some(browser.run(script, Value::Null).await).filter(&is)
    })
    .await
}

fn ids(seen: &Value) -> usize {
    seen["ids"].as_array().unwrap().len()
}

/// Changes the stock behind the gateway's back.
async fn adjust_directly(bed: &Bed, id: &str, delta: i32) {
    let call =
        Call::new("product.v1.ProductService/AdjustStock", json!({"id": id, "delta": delta}));
    let call = call.metadata("x-principal-id", "1").unwrap();
    let call = call.metadata("x-principal-roles", "admin").unwrap();
    call.send(bed.ports().address(Role::Product)).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_event_source_misses_nothing_and_sees_nothing_twice() {
    let bed = setup().start().await;
    adjust_stock(&bed.shop(), "p-1", 1).await;
    let browser = at(bed.shop().base()).await;
    listen(&browser, WATCH).await;
    seen(&browser, "what was before", |seen| ids(seen) == 1).await;
    for _ in 0..3 {
        adjust_stock(&bed.shop(), "p-1", 1).await;
    }
    let first = seen(&browser, "what happens now", |seen| ids(seen) == 4).await;
    assert_eq!((&first["ids"], &first["state"]), (&json!(["1", "2", "3", "4"]), &json!(1)));

    // A power cut, and the shop goes on meanwhile.
    bed.part(Role::Gateway).kill_9();
    adjust_directly(&bed, "p-1", 1).await;
    adjust_directly(&bed, "p-1", 1).await;
    bed.start(Role::Gateway).await;
    let second = seen(&browser, "what happened meanwhile", |seen| ids(seen) >= 6).await;
    assert_eq!(second["ids"], json!(["1", "2", "3", "4", "5", "6"]));
    assert_eq!(second["errors"], json!([]), "nobody could say anything");

    // A restart in good order is told.
    assert!(bed.part(Role::Gateway).stop(Duration::from_secs(10)).await.is_some());
    adjust_directly(&bed, "p-1", 1).await;
    bed.start(Role::Gateway).await;
    seen(&browser, "what happened in the restart", |seen| ids(seen) >= 7).await;
    adjust_stock(&bed.shop(), "p-1", 1).await;
    let all = seen(&browser, "what happens after it", |seen| ids(seen) >= 8).await;
    assert_eq!(all["ids"], json!(["1", "2", "3", "4", "5", "6", "7", "8"]));
    assert_eq!((&all["errors"], &all["ends"]), (&json!(["UNAVAILABLE"]), &json!(0)));
    let stocks: Vec<i64> = all["stocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stock| stock.as_str().unwrap().parse().unwrap())
        .collect();
    assert!(stocks.windows(2).all(|pair| pair[1] == pair[0] + 1), "each change once: {stocks:?}");
}

#[tokio::test]
async fn an_event_source_stops_when_all_is_said() {
    let service = Scripted::streaming(|_, _| {
        let (sender, receiver) = mpsc::channel(3);
        for piece in [
            Piece::Message(Bytes::from_static(b"\x08\x07")),
            Piece::Message(Bytes::from_static(b"\x08\x08")),
            Piece::End(Code::Ok, ""),
        ] {
            sender.try_send(piece).unwrap();
        }
        receiver
    })
    .await;
    let gateway = before_product(setup(), service.address()).await;
    let browser = Browser::open(&format!("{}/api/nothing", gateway.shop().base())).await;
    listen(&browser, WATCH).await;
    // 2 is CLOSED: it will not come again.
    let end = seen(&browser, "it is closed for ever", |seen| seen["state"] == 2).await;
    assert_eq!((&end["ids"], &end["ends"]), (&json!(["7", "8"]), &json!(1)));
    assert_eq!(service.exchanges().len(), 1, "the second time the service was not asked");
    // A refusal would have closed it too.
    let records = gateway.part(Role::Gateway).log().records();
    let watched =
        records.iter().filter(|record| record["rpc"] == WATCH_PRODUCTS || record["status"] == 204);
    let statuses: Vec<&Value> = watched.map(|record| &record["status"]).collect();
    assert_eq!(statuses, [200, 204]);
}

/// Orders, watches the order and pays it as soon as the stream is open; all in the page, signed in with a token that an
/// event source could not send.
const BUY: &str = r#"
    const {accept, email, password} = given;
    const post = async (path, headers, body) => {
        headers = {'content-type': 'application/json', ...headers};
        const answer = await fetch(path, {method: 'POST', headers, body: JSON.stringify(body)});
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
        return answer.json();
    };
    const {accessToken} = await post('/api/auth/login', {}, {email, password});
    const authorization = `Bearer ${accessToken}`;
    const pay = {authorization, 'idempotency-key': 'pay-' + accept};
    const buy = {authorization, 'idempotency-key': 'buy-' + accept};
    const order = await post('/api/orders', buy, {items: [{productId: 'p-19', quantity: 1}]});
    const path = `/api/orders/${order.id}:watch`;
    const nobody = await fetch(path, {headers: {accept}});
    const stranger = await fetch(path, {headers: {accept, authorization: given.stranger}});

    const answer = await fetch(path, {headers: {accept, authorization}});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let [text, paid] = ['', null];
    for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        text += value;
        paid ??= post('/api/payments', pay, {orderId: order.id, method: 'tok_visa'});
    }
    // Of an event the line of data, of lines each one.
    const changes = [...text.matchAll(/^(?:data: )?(\{"sequence".*\})$/gm)];
    const payment = await paid;
    return {
        statuses: changes.map(change => JSON.parse(change[1]).order.status),
        payment: payment.status,
        kind: answer.headers.get('content-type'),
        told: text.includes('event: end\nid: :end\n'),
        nobody: nobody.status,
        stranger: stranger.status,
        id: answer.headers.get('x-request-id'),
    };"#;

#[tokio::test]
async fn a_page_with_a_token_watches_its_order_until_it_is_confirmed() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let browser = at(shop.base()).await;
    for accept in [LINES, EVENTS] {
        let given = json!({
            "accept": accept,
            "email": ada.email,
            "password": e2e::shop::PASSWORD,
            "stranger": format!("Bearer {}", bob.token),
        });
        let seen = browser.run(BUY, given).await;
        assert_eq!(
            seen["statuses"],
            json!(["ORDER_STATUS_AWAITING_PAYMENT", "ORDER_STATUS_CONFIRMED"]),
            "{seen}"
        );
        assert_eq!(seen["payment"], "PAYMENT_STATUS_CAPTURED", "{seen}");
        assert_eq!((&seen["kind"], &seen["told"]), (&json!(accept), &json!(accept == EVENTS)));
        assert_eq!((&seen["nobody"], &seen["stranger"]), (&json!(401), &json!(404)), "{seen}");
        let id = seen["id"].as_str().unwrap();
        let lines = bed.service_lines(id).await;
        let [(role, line)] = lines.as_slice() else { panic!("one call expected: {lines:#?}") };
        assert_eq!((role, &line["principal"]), (&Role::Order, &json!(ada.id)));
        assert_eq!(line["code"], "OK", "{line}");
        let line = bed.access_line(id).await;
        assert_eq!((&line["code"], &line["messages"]), (&json!("OK"), &json!(2)), "{line}");
    }
}

#[tokio::test]
async fn a_page_can_tell_a_broken_stream_from_a_whole_one() {
    let bed = setup().start().await;
    adjust_stock(&bed.shop(), "p-1", 1).await;
    let browser = at(bed.shop().base()).await;
    let opened = browser
        .run(
            "
        window.rests = [];
        for (const accept of given.accepts) {
            const answer = await fetch(given.path, {headers: {accept}});
            const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
            let text = (await reader.read()).value;
            const rest = async () => {
                try {
                    for (;;) {
                        const {value, done} = await reader.read();
                        if (done) return {text, clean: true};
                        text += value;
                    }
                } catch (error) {
                    return {text, clean: false};
                }
            };
            window.rests.push(rest());
        }
        return window.rests.length;",
            json!({"path": WATCH, "accepts": [ARRAY, LINES]}),
        )
        .await;
    assert_eq!(opened, 2);
    bed.part(Role::Product).kill_9();
    bed.part(Role::Product2).kill_9();
    let rests = browser.run("return Promise.all(window.rests);", Value::Null).await;
    let [array, lines] = [&rests[0], &rests[1]];
    for (rest, clean) in [(array, false), (lines, true)] {
        assert_eq!(rest["clean"], clean, "{rest}");
        let last = rest["text"].as_str().unwrap().lines().last().unwrap();
        let told: Value = serde_json::from_str(last).unwrap();
        assert_eq!(told["error"]["code"], "UNAVAILABLE", "{rest}");
    }
    assert!(!array["text"].as_str().unwrap().ends_with(']'), "{array}");
}
