//! What is remembered of tokens, and when it is forgotten.

use super::*;

async fn warmed() -> (Door, Signer, String) {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let token = signer.sign(&signer.header(), &claims());
    accepted(door.ask(&token).await);
    (door, signer, token)
}

#[tokio::test]
async fn proves_a_token_once() {
    let (door, _, token) = warmed().await;
    assert_eq!(door.cache.len(), 1);
    let (one, two) = (accepted(door.ask(&token).await), accepted(door.ask(&token).await));
    assert!(Arc::ptr_eq(&one, &two));
}

#[tokio::test]
async fn forgets_a_token_when_it_expires() {
    let (door, _, token) = warmed().await;
    door.pass(904);
    accepted(door.ask(&token).await);
    door.pass(1);
    assert_eq!(refusal(door.ask(&token).await), "Expired");
    assert_eq!(door.cache.len(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_a_token_valid_too_early() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let mut claims = claims();
    claims["nbf"] = json!(NOW);
    let token = signer.sign(&signer.header(), &claims);
    accepted(door.ask(&token).await);
    door.pass(-3600);
    assert_eq!(refusal(door.ask(&token).await), "NotYetValid");
    door.pass(3600);
    accepted(door.ask(&token).await);
}

#[tokio::test(start_paused = true)]
async fn forgets_a_token_when_its_key_is_withdrawn() {
    let (door, one, old) = warmed().await;
    let two = Signer::new("k2", Algorithm::Es256);
    door.script.answer(Answer::keys([one.jwk(), two.jwk()]));
    tokio::time::sleep(std::time::Duration::from_mins(6)).await;
    let (before, new) = (door.cache.len(), two.sign(&two.header(), &claims()));
    accepted(door.ask(&old).await);
    accepted(door.ask(&new).await);
    assert_eq!((before, door.cache.len()), (1, 2));

    door.script.answer(Answer::keys([two.jwk()]));
    tokio::time::sleep(std::time::Duration::from_mins(6)).await;
    assert_eq!(refusal(door.ask(&old).await), "UnknownKey");
    accepted(door.ask(&new).await);
    assert_eq!(door.cache.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn forgets_a_token_when_its_key_id_names_another_key() {
    let (door, _, token) = warmed().await;
    door.script.answer(Answer::keys([Signer::new("k1", Algorithm::Es256).jwk()]));
    tokio::time::sleep(std::time::Duration::from_mins(6)).await;
    assert_eq!(refusal(door.ask(&token).await), "BadSignature");
}

#[tokio::test(start_paused = true)]
async fn forgets_a_token_when_its_keys_are_too_old() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let mut claims = claims();
    claims["exp"] = json!(NOW + 1_000_000);
    let token = signer.sign(&signer.header(), &claims);
    accepted(door.ask(&token).await);
    door.script.answer(Answer::Status(500));
    tokio::time::sleep(std::time::Duration::from_hours(23)).await;
    accepted(door.ask(&token).await);
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
    assert_eq!(refusal(door.ask(&token).await), "KeysUnavailable");
}

#[tokio::test]
async fn what_one_configuration_accepted_another_does_not_inherit() {
    let (door, _, token) = warmed().await;
    let headers = bearer(&token);
    let same = door.reconfigured(Algorithm::Es256, "gateway");
    accepted(same.authenticate(&headers).await);
    let other_audience = door.reconfigured(Algorithm::Es256, "other");
    assert_eq!(refusal(other_audience.authenticate(&headers).await), "WrongAudience");
    accepted(door.ask(&token).await);
    let other_algorithm = door.reconfigured(Algorithm::Es384, "gateway");
    assert_eq!(refusal(other_algorithm.authenticate(&headers).await), "WrongAlgorithm");
    accepted(door.ask(&token).await);
    let nobody = Authenticator::new(Vec::new(), Arc::clone(&door.cache), Clock::system());
    assert_eq!(refusal(nobody.authenticate(&headers).await), "UnknownIssuer");
}

#[tokio::test]
async fn failures_are_not_kept() {
    let (door, signer, token) = warmed().await;
    for last in ["AAAA", "BBBB", "CCCC"] {
        refusal(door.ask(&format!("{}{last}", &token[..token.len() - 4])).await);
    }
    let mut expired = claims();
    expired["exp"] = json!(1);
    refusal(door.ask(&signer.sign(&signer.header(), &expired)).await);
    assert_eq!(door.cache.len(), 1);
}

#[tokio::test]
async fn keeps_no_more_than_there_is_room_for() {
    let signer = Signer::new("k1", Algorithm::EdDsa);
    let door = Door::trusting(&[&signer]);
    for number in 0..1_500 {
        let mut claims = claims();
        claims["sub"] = json!(number.to_string());
        accepted(door.ask(&signer.sign(&signer.header(), &claims)).await);
    }
    assert!((500..=1_000).contains(&door.cache.len()), "{}", door.cache.len());

    let door = Door::trusting(&[&signer]);
    for number in 0..500 {
        let mut claims = claims();
        claims["sub"] = json!(number.to_string());
        claims["roles"] = json!(vec!["r".repeat(60); 60]);
        accepted(door.ask(&signer.sign(&signer.header(), &claims)).await);
    }
    assert!((50..=100).contains(&door.cache.len()), "{}", door.cache.len());
}
