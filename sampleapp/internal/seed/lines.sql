-- $1 orders, $2 users, $3 products, $4 largest quantity.
-- One to three lines per order. They come first, and their orders are their
-- sums: an order's total is never invented.
create temporary table seed_lines on commit drop as
select o.n as order_id,
       1 + (hashint8extended(o.n, 21) & 2147483647) % $2::bigint as user_id,
       l.n::smallint as line_no,
       p.id as product_id,
       p.category,
       (1 + (hashint8extended(o.n * 4 + l.n, 22) & 2147483647) % $4::bigint)::integer as quantity,
       p.price_cents as unit_price_cents
from generate_series(1, $1::bigint) as o (n)
cross join lateral generate_series(1, 1 + (hashint8extended(o.n, 23) & 2147483647) % 3) as l (n)
join products p on p.id = 1 + (hashint8extended(o.n * 4 + l.n, 24) & 2147483647) % $3::bigint;
