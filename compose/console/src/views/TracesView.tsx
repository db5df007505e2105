import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Alert, Button, Combobox, InlineField, Input, useStyles2 } from '@grafana/ui';
import { useMemo, useState, type FormEvent } from 'react';
import { operations as askOperations, search, services as askServices } from '../api/jaeger.ts';
import { useTask, useTick } from '../app/hooks.ts';
import { change, go, rawRange, timeRange, usePlace } from '../app/place.ts';
import { traceLink } from '../app/links.ts';
import { TraceList } from '../panels/TraceList.tsx';
import { TimeControls } from './TimeControls.tsx';

/** TracesView looks for traces by service, operation, duration and tags, or opens one by its id. */
export default function TracesView() {
  const styles = useStyles2(getStyles);
  const { query } = usePlace();
  const [tick, again] = useTick(undefined);
  const raw = rawRange(query, { from: 'now-15m', to: 'now' });
  const range = useMemo(() => timeRange(raw), [String(raw.from), String(raw.to), tick]);
  const services = useTask(askServices, []);
  const service = query.get('service') ?? services.value?.find((s) => s === 'gateway') ?? services.value?.[0];
  const operations = useTask(service ? (signal) => askOperations(service, signal) : undefined, [service]);
  const get = (name: string) => query.get(name) ?? '';
  const asked = ['operation', 'tags', 'min', 'max', 'limit'].map(get);
  const found = useTask(
    service
      ? (signal) =>
          search(
            { service, operation: asked[0], tags: asked[1], minDuration: asked[2], maxDuration: asked[3], limit: Number(asked[4]) || 50 },
            { from: range.from.valueOf(), to: range.to.valueOf(), signal }
          )
      : undefined,
    [service, ...asked, range]
  );
  const error = services.error ?? found.error;
  return (
    <>
      <div className={styles.top}>
        <h1 className={styles.title}>Traces</h1>
        <TimeControls range={range} again={again} loading={found.loading} />
      </div>
      <div className={styles.form}>
        <InlineField label="Service" htmlFor="service">
          <Combobox id="service" options={(services.value ?? []).map((s) => ({ value: s, label: s }))} value={service ?? null} onChange={(o) => change({ service: o.value, operation: undefined })} width={20} />
        </InlineField>
        <InlineField label="Operation" htmlFor="operation">
          <Combobox id="operation" isClearable options={(operations.value ?? []).map((s) => ({ value: s, label: s }))} value={asked[0] || null} onChange={(o) => change({ operation: o?.value })} width={28} placeholder="any" />
        </InlineField>
      </div>
      <Filters key={query.toString()} tags={asked[1]} min={asked[2]} max={asked[3]} />
      {error ? (
        <Alert title="These traces cannot be shown">{error.message}</Alert>
      ) : found.value && found.value.length === 0 ? (
        <p>No trace matches in this time range.</p>
      ) : (
        found.value && (
          <div className={styles.list} data-traces={found.value.length}>
            <TraceList traces={found.value} />
          </div>
        )
      )}
    </>
  );
}

function Filters(first: { tags: string; min: string; max: string }) {
  const styles = useStyles2(getStyles);
  const [form, setForm] = useState(first);
  const [id, setId] = useState('');
  const field = (name: keyof typeof form, label: string, placeholder: string, width: number) => (
    <InlineField label={label} htmlFor={name}>
      <Input id={name} value={form[name]} width={width} placeholder={placeholder} onChange={(e) => setForm({ ...form, [name]: e.currentTarget.value })} />
    </InlineField>
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (id.trim()) {
      go(traceLink(id.trim()));
    } else {
      change({ tags: form.tags || undefined, min: form.min || undefined, max: form.max || undefined });
    }
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      {field('tags', 'Tags', 'http.route=/api/orders error=true', 36)}
      {field('min', 'At least', '100ms', 10)}
      {field('max', 'At most', '1.2s', 10)}
      <InlineField label="Or trace id" htmlFor="id">
        <Input id="id" value={id} width={30} onChange={(e) => setId(e.currentTarget.value)} />
      </InlineField>
      <Button type="submit">Search</Button>
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  top: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', justifyContent: 'space-between', gap: theme.spacing(1), marginBottom: theme.spacing(1) }),
  title: css({ fontSize: theme.typography.h4.fontSize, margin: 0 }),
  form: css({ display: 'flex', flexWrap: 'wrap' }),
  list: css({ background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}` }),
});
