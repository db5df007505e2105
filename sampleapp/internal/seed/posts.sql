-- $1 posts, $2 users, $3 adjectives, $4 nouns.
insert into posts (id, author_id, title, body, created_at)
select n,
       1 + (hashint8extended(n, 41) & 2147483647) % $2::bigint,
       'On the ' || w.adjective || ' ' || w.noun,
       'Some notes about a ' || w.noun || ', which turned out more ' || w.adjective || ' than expected. Part ' || n || '.',
       timestamptz '2025-01-01 00:00:00+00' + n * interval '3 hours'
from generate_series(1, $1::bigint) as n
cross join lateral (
    select ($3::text[])[1 + (hashint8extended(n, 42) & 2147483647) % cardinality($3::text[])] as adjective,
           ($4::text[])[1 + (hashint8extended(n, 43) & 2147483647) % cardinality($4::text[])] as noun
) as w;
