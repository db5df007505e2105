-- River keeps the jobs from now on, in tables of its own, which its migrator
-- has made before this. Jobs that still wait move there, with their traces.
insert into river_job (queue, kind, args, metadata, max_attempts, scheduled_at, created_at)
select queue, kind, payload, jsonb_build_object('trace', trace), max_attempts, due_at, created_at
from jobs where state = 'pending' order by id;

drop table jobs;
