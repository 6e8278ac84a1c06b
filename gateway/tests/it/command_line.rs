//! The program as an operator calls it.

use std::fs;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::mistakes::check_text;
use crate::stand::{Gate, Upstream, run};

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_exit_64() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["--bogus"][..], &["extra"], &["--check", "--probe"], &["--config"]] {
        let exit = run(folder.path(), &[], arguments).await;
        assert_eq!((exit.code, exit.out.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(exit.errors.starts_with("error: "), "{arguments:?}: {}", exit.errors);
    }
}

#[tokio::test]
async fn says_its_version_and_its_options() {
    let folder = TempDir::new().unwrap();
    let exit = run(folder.path(), &[], ["--version"]).await;
    assert_eq!(
        (exit.code, exit.out),
        (Some(0), format!("gateway {}\n", env!("CARGO_PKG_VERSION")))
    );
    let exit = run(folder.path(), &[], ["--help"]).await;
    assert_eq!(exit.code, Some(0));
    for option in ["--config", "--check", "--probe", "--version"] {
        assert!(exit.out.contains(option), "{}", exit.out);
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_exit_78() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["--config", "none.yaml"][..], &["--config", "none.yaml", "--check"]] {
        let exit = run(folder.path(), &[], arguments).await;
        let complaint = "none.yaml:(file): can't be read (No such file or directory (os error 2)): name the file with --config FILE\n";
        assert_eq!((exit.code, exit.errors.as_str()), (Some(78), complaint));
    }
    fs::write(folder.path().join("bytes.yaml"), b"\xff\xfe").unwrap();
    let exit = run(folder.path(), &[], ["--config", "bytes.yaml"]).await;
    let complaint = "bytes.yaml:(file): can't be read (stream did not contain valid UTF-8): name the file with --config FILE\n";
    assert_eq!((exit.code, exit.errors.as_str()), (Some(78), complaint));
}

#[tokio::test]
async fn relative_paths_start_at_the_file() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("etc")).unwrap();
    fs::write(folder.path().join("etc/s.binpb"), crate::stand::kitchen_set()).unwrap();
    let text = "schema: { file: s.binpb }\nlistener: { address: \"127.0.0.1:0\" }\nadmin: { address: \"127.0.0.1:0\" }\n\
                upstreams: {}\nauthorization: { access: {} }\n";
    fs::write(folder.path().join("etc/g.yaml"), text).unwrap();
    let exit = run(folder.path(), &[], ["--check", "--config", "etc/g.yaml"]).await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
    fs::write(folder.path().join("etc/g.yaml"), text.replace("s.binpb", "etc/s.binpb")).unwrap();
    let exit = run(folder.path(), &[], ["--check", "--config", "etc/g.yaml"]).await;
    assert!(
        exit.errors.starts_with("etc/g.yaml:1:17: schema.file: `etc/etc/s.binpb` can't be read"),
        "{exit:?}"
    );
}

#[tokio::test]
async fn check_prints_what_is_exposed() {
    let exit = check_text(
        r#"schema: { file: schema.binpb }
listener: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  kitchen: { services: [kitchen.v1.Kitchen], endpoints: ["http://127.0.0.1:1"] }
authentication:
  issuers: [{ issuer: a, audience: b, algorithm: ES256, jwks: "http://127.0.0.1:1/" }]
authorization:
  access:
    kitchen.v1.Kitchen/GetDish: public
    kitchen.v1.Kitchen/ListDishes: authenticated
    kitchen.v1.Kitchen/CreateDish: role:cook
    kitchen.v1.Kitchen/ReplaceDish: internal
    kitchen.v1.Kitchen/UpdateDish: internal
    kitchen.v1.Kitchen/DeleteDish: internal
    kitchen.v1.Kitchen/CookDish: internal
    kitchen.v1.Kitchen/GetPhoto: internal
    kitchen.v1.Kitchen/GetChef: internal
    kitchen.v1.Kitchen/ReadFile: public
    kitchen.v1.Kitchen/ReadBook: public
    kitchen.v1.Kitchen/CountDishes: public
    kitchen.v1.Kitchen/Taste: public
    kitchen.v1.Kitchen/WatchDishes: public
    kitchen.v1.Kitchen/WatchTags: internal
    kitchen.v1.Kitchen/Download: internal
    kitchen.v1.Kitchen/Print: internal
    kitchen.v1.Kitchen/PrintAll: internal
    kitchen.v1.Kitchen/Whisper: public
"#,
    )
    .await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
    let lines: Vec<String> = exit
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "ROUTE RPC ACCESS DECIDED BY",
        "HEAD /v1/count kitchen.v1.Kitchen/CountDishes public open to all",
        "gRPC /kitchen.v1.Kitchen/CountDishes kitchen.v1.Kitchen/CountDishes public open to all",
        "POST /v1/dishes kitchen.v1.Kitchen/CreateDish role:cook gateway: principal",
        "gRPC /kitchen.v1.Kitchen/CreateDish kitchen.v1.Kitchen/CreateDish role:cook gateway: principal",
        "GET /v1/dishes/{id} kitchen.v1.Kitchen/GetDish public open to all",
        "GET /v1/menus/{menu}/dishes/{id} kitchen.v1.Kitchen/GetDish public open to all",
        "gRPC /kitchen.v1.Kitchen/GetDish kitchen.v1.Kitchen/GetDish public open to all",
        "GET /v1/dishes kitchen.v1.Kitchen/ListDishes authenticated gateway: principal",
        "gRPC /kitchen.v1.Kitchen/ListDishes kitchen.v1.Kitchen/ListDishes authenticated gateway: principal",
        "GET /v1/{name=shelves/*/books/*}:read kitchen.v1.Kitchen/ReadBook public open to all",
        "gRPC /kitchen.v1.Kitchen/ReadBook kitchen.v1.Kitchen/ReadBook public open to all",
        "GET /v1/{name=files/**} kitchen.v1.Kitchen/ReadFile public open to all",
        "gRPC /kitchen.v1.Kitchen/ReadFile kitchen.v1.Kitchen/ReadFile public open to all",
        "* /v1/taste kitchen.v1.Kitchen/Taste public open to all",
        "gRPC /kitchen.v1.Kitchen/Taste kitchen.v1.Kitchen/Taste public open to all",
        "GET /v1/dishes:watch kitchen.v1.Kitchen/WatchDishes public open to all (a stream)",
        "gRPC /kitchen.v1.Kitchen/WatchDishes kitchen.v1.Kitchen/WatchDishes public open to all",
        "gRPC /kitchen.v1.Kitchen/Whisper kitchen.v1.Kitchen/Whisper public open to all",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_port_in_use_is_one_plain_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["listener", "admin"] {
        let folder = TempDir::new().unwrap();
        let text = "schema: { file: schema.binpb }\nlistener: { address: \"127.0.0.1:0\" }\nadmin: { address: \"127.0.0.1:0\" }\n\
                    upstreams: {}\nauthorization: { access: {} }\n";
        let free = format!("{setting}: {{ address: \"127.0.0.1:0\" }}");
        let text = text.replace(&free, &format!("{setting}: {{ address: \"{address}\" }}"));
        fs::write(folder.path().join("schema.binpb"), crate::stand::kitchen_set()).unwrap();
        fs::write(folder.path().join("gateway.yaml"), text).unwrap();
        let exit = run(folder.path(), &[], [""; 0]).await;
        let sentence = format!(
            "gateway: {setting}.address: {address} is in use by another process: stop it, or choose another port\n"
        );
        assert_eq!((exit.code, exit.errors, exit.out.as_str()), (Some(1), sentence, ""));
    }
}

#[tokio::test]
async fn a_probe_asks_the_gateway_of_the_configuration() {
    let kitchen = Upstream::content().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let probe = async || {
        let text = format!(
            "schema: {{ file: s }}\nlistener: {{ address: \"127.0.0.1:0\" }}\nadmin: {{ address: \"{free}\" }}\n\
             upstreams: {{}}\nauthorization: {{}}\n"
        );
        fs::write(folder.path().join("gateway.yaml"), text).unwrap();
        run(folder.path(), &[], ["--probe"]).await
    };
    let exit = probe().await;
    let complaint = format!("gateway: {free} does not answer\n");
    assert_eq!((exit.code, exit.errors), (Some(1), complaint));

    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("admin", &format!("{{ address: \"{free}\" }}"))
    })
    .await;
    crate::stand::until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let exit = probe().await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
}
