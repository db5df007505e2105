-- $1 regions, $2 categories, $3 rates per hundred thousand (parallel);
-- $4 discounts per ten thousand by quantity.
-- The arithmetic is that of package pricing: exact until one rounding per
-- line and amount. A test compares the two.
insert into orders (id, user_id, region, status, net_cents, tax_cents, total_cents, created_at)
select s.order_id, s.user_id, s.region,
       (array ['placed', 'paid', 'shipped', 'shipped', 'shipped', 'cancelled'])[1 + (hashint8extended(s.order_id, 31) & 2147483647) % 6],
       s.net, s.tax, s.net + s.tax,
       timestamptz '2025-01-01 00:00:00+00' + s.order_id * interval '2 minutes'
from (
    select l.order_id, l.user_id, u.region,
           sum(round(l.price))::bigint as net,
           sum(round(l.price * r.rate * 0.00001))::bigint as tax
    from (
        select order_id, user_id, category,
               unit_price_cents * quantity * (10000 - ($4::bigint[])[quantity]) * 0.0001 as price
        from seed_lines
    ) as l
    join users u on u.id = l.user_id
    join unnest($1::text[], $2::text[], $3::bigint[]) as r (region, category, rate)
        on r.region = u.region and r.category = l.category
    group by l.order_id, l.user_id, u.region
) as s
order by s.order_id;
