//! Where one request ends and the next begins is never a matter of opinion.

mod any_shop {
    use e2e::shop::Shop;

    use crate::raw::{ask, converse};
    use crate::stand::any_shop;

    /// Every row must be answered once with 400 (or refused without an answer), and the connection must end: whatever
    /// follows in it may be somebody's smuggled request.
    async fn refuses(shop: &Shop, rows: &[&str]) {
        for row in rows {
            let answer = converse(shop, row.as_bytes()).await;
            assert!(
                answer.statuses.is_empty() || answer.statuses == [400],
                "{row:?}: {}",
                answer.text
            );
            assert!(answer.closed, "{row:?} left the connection open: {}", answer.text);
        }
    }

    #[tokio::test]
    async fn refuses_lengths_that_can_be_read_in_two_ways() {
        let shop = any_shop().await;
        refuses(
            &shop,
            &[
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nhello",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\nhello",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
                "POST /api/auth/login HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn a_length_beside_chunks_smuggles_nothing() {
        let shop = any_shop().await;
        let smuggled = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\
                        Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/products HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = converse(&shop, smuggled.as_bytes()).await;
        assert!(answer.statuses.len() <= 1 && answer.closed, "{answer:?}");
        assert!(!answer.text.contains("p-1"), "{}", answer.text);
    }

    #[tokio::test]
    async fn wants_exactly_one_host() {
        let shop = any_shop().await;
        for request in [
            "GET /api/products HTTP/1.1\r\n\r\n",
            "GET /api/products HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /api/products HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        ] {
            let answer = converse(&shop, request.as_bytes()).await;
            assert_eq!(answer.statuses, [400], "{request:?}: {}", answer.text);
        }
    }

    #[tokio::test]
    async fn is_nobodys_proxy() {
        let shop = any_shop().await;
        for line in [
            "GET http://evil.example/api/products HTTP/1.1",
            "CONNECT 127.0.0.1:50051 HTTP/1.1",
            "CONNECT / HTTP/1.1",
            "GET api/products HTTP/1.1",
            "GET * HTTP/1.1",
            "TRACE /api/products HTTP/1.1",
            "FOO /api/products HTTP/1.1",
        ] {
            let answer = ask(&shop, line, &[]).await;
            assert!(
                matches!(answer.statuses.as_slice(), [400 | 405 | 421 | 501]),
                "{line}: {answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_request_head_has_limits() {
        let shop = any_shop().await;
        let long_line = format!("GET /api/products?x={} HTTP/1.1", "x".repeat(100_000));
        let answer = ask(&shop, &long_line, &[]).await;
        assert!(
            answer.statuses.iter().all(|status| matches!(status, 400 | 414 | 431)),
            "{answer:?}"
        );
        assert!(answer.closed, "{answer:?}");

        let many: Vec<String> = (0..1000).map(|number| format!("x-{number}: 1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let answer = ask(&shop, "GET /api/products HTTP/1.1", &many).await;
        assert!(answer.statuses.iter().all(|status| matches!(status, 400 | 431)), "{answer:?}");
        assert!(answer.closed, "{answer:?}");
    }

    #[tokio::test]
    async fn two_requests_in_one_piece_get_two_answers_in_order() {
        let shop = any_shop().await;
        let both = "GET /api/products/p-1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                    GET /api/products/p-2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = converse(&shop, both.as_bytes()).await;
        assert!(answer.closed, "{answer:?}");
        // A body where none belongs is refused, and its bytes are never taken for the next request.
        assert_eq!(answer.statuses, [400, 200], "{}", answer.text);
        assert!(
            answer.text.contains(r#""id":"p-2""#) && !answer.text.contains(r#""id":"p-1""#),
            "{}",
            answer.text
        );
    }
}
