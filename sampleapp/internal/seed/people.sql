-- $1 users, $2 regions, $3 first names, $4 last names.
insert into users (id, name, email, region, created_at)
select n,
       ($3::text[])[1 + (hashint8extended(n, 1) & 2147483647) % cardinality($3::text[])] || ' ' ||
       ($4::text[])[1 + (hashint8extended(n, 2) & 2147483647) % cardinality($4::text[])],
       'user' || n || '@example.com',
       ($2::text[])[1 + (hashint8extended(n, 3) & 2147483647) % cardinality($2::text[])],
       timestamptz '2024-01-01 00:00:00+00' + n * interval '7 minutes'
from generate_series(1, $1::bigint) as n;
