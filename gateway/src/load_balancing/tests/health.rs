use super::*;

fn ask(balancer: &Peers, endpoint: usize, answer: Answer) {
    endpoint_of(balancer, endpoint).checked(answer);
}

#[tokio::test(start_paused = true)]
async fn who_says_that_it_does_not_serve_is_not_called() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1, 1]);
    ask(&balancer, 1, Answer::NotServing);
    assert_eq!(standing(&balancer, 1), Standing::Down);
    assert_eq!(picks(&balancer, 4), [0, 2, 0, 2]);
    ask(&balancer, 1, Answer::Serving);
    assert_eq!(standing(&balancer, 1), Standing::Returning(0.1));
}

#[tokio::test(start_paused = true)]
async fn one_lost_answer_is_not_enough_to_be_down() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    ask(&balancer, 0, Answer::Silence);
    ask(&balancer, 0, Answer::Serving);
    ask(&balancer, 0, Answer::Silence);
    assert_eq!(standing(&balancer, 0), Standing::In);
    ask(&balancer, 0, Answer::Silence);
    assert_eq!(standing(&balancer, 0), Standing::Down);
    ask(&balancer, 0, Answer::Silence);
    assert_eq!(standing(&balancer, 0), Standing::Down);
}

#[tokio::test(start_paused = true)]
async fn who_knows_no_such_question_is_asked_again_only_when_it_does_badly() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    let endpoint = endpoint_of(&balancer, 0);
    assert!(endpoint.wants_check());
    endpoint.checked(Answer::Unimplemented);
    assert!(!endpoint.wants_check());
    assert_eq!(standing(&balancer, 0), Standing::In);
    for _ in 0..5 {
        call(&balancer, 0, Duration::ZERO, Outcome::Failed).await;
    }
    assert!(endpoint.wants_check());
    // It answers but does badly: that it answers brings it back no sooner.
    endpoint.checked(Answer::Unimplemented);
    assert_eq!(standing(&balancer, 0), Standing::Ejected(Reason::Failures));
    // It was gone, and somebody is there again.
    endpoint.checked(Answer::Silence);
    endpoint.checked(Answer::Silence);
    assert!(endpoint.wants_check());
    endpoint.checked(Answer::Unimplemented);
    assert_eq!(standing(&balancer, 0), Standing::Returning(0.1));
}

#[tokio::test(start_paused = true)]
async fn the_ejected_are_asked_before_the_down_and_those_rather_than_nobody() {
    for algorithm in [Algorithm::LeastLatency, Algorithm::LeastRequests, Algorithm::RoundRobin] {
        let balancer = balancer(algorithm, &[1, 1, 1]);
        for _ in 0..5 {
            call(&balancer, 0, Duration::ZERO, Outcome::Failed).await;
        }
        ask(&balancer, 1, Answer::NotServing);
        assert_eq!(picks(&balancer, 3), [2, 2, 2]);
        ask(&balancer, 2, Answer::NotServing);
        assert_eq!(picks(&balancer, 3), [0, 0, 0]);
        ask(&balancer, 0, Answer::NotServing);
        let all = picks(&balancer, 60);
        assert!([0, 1, 2].iter().all(|endpoint| all.contains(endpoint)), "{all:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_down_counts_among_those_left_out() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1, 1]);
    ask(&balancer, 0, Answer::NotServing);
    for _ in 0..9 {
        call(&balancer, 1, Duration::ZERO, Outcome::Failed).await;
    }
    assert_eq!(standing(&balancer, 1), Standing::In);
}
