-- The email service's own table. It deliberately refers to no other table: the
-- service could move to a database of its own.
create table email_messages (
    invite_id  bigint primary key,
    recipient  text        not null,
    subject    text        not null,
    body       text        not null,
    sent_at    timestamptz not null default now()
);
