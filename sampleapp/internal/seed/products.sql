-- $1 products, $2 categories, $3 adjectives, $4 nouns.
insert into products (id, name, category, price_cents, created_at)
select n,
       ($3::text[])[1 + (hashint8extended(n, 11) & 2147483647) % cardinality($3::text[])] || ' ' ||
       ($4::text[])[1 + (hashint8extended(n, 12) & 2147483647) % cardinality($4::text[])] || ' no. ' || n,
       ($2::text[])[1 + n % cardinality($2::text[])],
       99 + (hashint8extended(n, 13) & 2147483647) % 19900,
       timestamptz '2024-01-01 00:00:00+00' + n * interval '1 hour'
from generate_series(1, $1::bigint) as n;
