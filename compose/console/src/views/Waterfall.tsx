import { css, cx } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { failed, type Trace } from '../api/jaeger.ts';
import { microseconds } from '../panels/TraceList.tsx';
import { SpanDetails } from './SpanDetails.tsx';
import { tree } from './tree.ts';

/** Waterfall draws every span as a bar in time, below the one that called it. */
export function Waterfall({ trace, chosen }: { trace: Trace; chosen?: string }) {
  const styles = useStyles2(getStyles);
  const theme = useTheme2();
  const nodes = useMemo(() => tree(trace), [trace]);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<string | undefined>(chosen);
  const list = useRef<HTMLDivElement>(null);
  const colors = useMemo(() => {
    const services = [...new Set(nodes.map((n) => n.span.service))];
    return new Map(services.map((s, i) => [s, theme.visualization.getColorByName(theme.visualization.palette[i % theme.visualization.palette.length])]));
  }, [nodes, theme]);
  useEffect(() => {
    if (chosen) {
      list.current?.querySelector(`[data-span="${CSS.escape(chosen)}"]`)?.scrollIntoView({ block: 'center' });
    }
  }, [chosen]);
  const from = Math.min(...trace.spans.map((s) => s.start));
  const whole = Math.max(...trace.spans.map((s) => s.start + s.duration)) - from || 1;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const shut = (id: string, yes: boolean) => setClosed((now) => { const next = new Set(now); if (yes) { next.add(id); } else { next.delete(id); } return next; });
  const keys = (event: KeyboardEvent<HTMLButtonElement>, id: string) => {
    const rows = [...(list.current?.querySelectorAll<HTMLButtonElement>('button[data-span]') ?? [])];
    const at = rows.indexOf(event.currentTarget);
    const to = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1], Home: rows[0], End: rows[rows.length - 1] }[event.key];
    if (to) {
      event.preventDefault();
      to.focus();
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      event.preventDefault();
      shut(id, event.key === 'ArrowLeft');
    }
  };
  return (
    <>
      <ul className={styles.legend} aria-label="Services">
        {[...colors].map(([service, color]) => (
          <li key={service}>
            <i style={{ background: color }} /> {service}
          </li>
        ))}
      </ul>
      <div className={styles.table} ref={list}>
        <div className={styles.head} aria-hidden>
          <span>Service and operation</span>
          <span className={styles.ticks}>
            {ticks.map((t) => (
              <span key={t} style={{ left: `${t * 100}%` }}>
                {microseconds(whole * t)}
              </span>
            ))}
          </span>
        </div>
        {nodes
          .filter((n) => !n.above.some((id) => closed.has(id)))
          .map(({ span, depth, children }) => {
            const left = ((span.start - from) / whole) * 100;
            const width = Math.max((span.duration / whole) * 100, 0.2);
            const bad = failed(span);
            const label = microseconds(span.duration);
            return (
              <div key={span.id} className={cx(styles.row, open === span.id && styles.open)}>
                <div className={styles.line}>
                  <span className={styles.what} style={{ paddingLeft: depth * 14 }}>
                    {children > 0 ? (
                      <button type="button" tabIndex={-1} className={styles.fold} aria-label={closed.has(span.id) ? 'Show the spans below' : 'Hide the spans below'} onClick={() => shut(span.id, !closed.has(span.id))}>
                        {closed.has(span.id) ? '▸' : '▾'}
                      </button>
                    ) : (
                      <span className={styles.fold} />
                    )}
                    <i className={styles.color} style={{ background: colors.get(span.service) }} />
                    <span className={styles.name}>
                      {bad && <b className={styles.bad}>error </b>}
                      {span.service} <span className={styles.operation}>{span.name}</span>
                    </span>
                  </span>
                  <span className={styles.lane}>
                    <i className={styles.bar} style={{ left: `${left}%`, width: `${width}%`, background: colors.get(span.service), outline: bad ? `2px solid ${theme.colors.error.main}` : undefined }} />
                    <span className={styles.took} style={left + width > 75 ? { right: `${100 - left}%`, paddingRight: 6 } : { left: `${left + width}%`, paddingLeft: 6 }}>
                      {label}
                    </span>
                    {span.events.map((e, i) => (
                      <i key={i} className={styles.event} title={String(e.fields.find((f) => f.key === 'event')?.value ?? 'event')} style={{ left: `${((e.time - from) / whole) * 100}%` }} />
                    ))}
                  </span>
                  <button
                    type="button" className={styles.hit} data-span={span.id} aria-expanded={open === span.id} aria-label={`${span.service} ${span.name}, ${label}${bad ? ', error' : ''}`}
                    onClick={() => setOpen(open === span.id ? undefined : span.id)} onKeyDown={(e) => keys(e, span.id)}
                  />
                </div>
                {open === span.id && <SpanDetails trace={trace} span={span} began={from} color={colors.get(span.service) ?? ''} />}
              </div>
            );
          })}
      </div>
    </>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  legend: css({ listStyle: 'none', display: 'flex', flexWrap: 'wrap', gap: theme.spacing(0.5, 2), marginBottom: theme.spacing(1), i: { display: 'inline-block', width: 12, height: 12, borderRadius: 2 } }),
  table: css({ background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, '--what': '38%', [theme.breakpoints.down('md')]: { '--what': '46%' } }),
  head: css({ display: 'flex', padding: theme.spacing(0.5, 1), color: theme.colors.text.secondary, borderBottom: `1px solid ${theme.colors.border.weak}`, fontSize: theme.typography.bodySmall.fontSize, '> span:first-child': { width: 'var(--what)', flexShrink: 0 } }),
  ticks: css({
    position: 'relative', flex: 1, height: 18,
    span: { position: 'absolute', transform: 'translateX(-50%)', whiteSpace: 'nowrap', '&:first-child': { transform: 'none' }, '&:last-child': { transform: 'translateX(-100%)' }, [theme.breakpoints.down('md')]: { '&:nth-child(even)': { display: 'none' } } },
  }),
  row: css({ borderBottom: `1px solid ${theme.colors.border.weak}`, '&:last-child': { border: 0 } }),
  open: css({ background: theme.colors.background.secondary }),
  line: css({ position: 'relative', display: 'flex', alignItems: 'center', height: 28, padding: theme.spacing(0, 1), '&:hover': { background: theme.colors.action.hover } }),
  hit: css({ all: 'unset', position: 'absolute', inset: 0, cursor: 'pointer', '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: -2 } }),
  what: css({ width: 'var(--what)', flexShrink: 0, display: 'flex', alignItems: 'center', gap: 4, minWidth: 0, boxSizing: 'border-box' }),
  fold: css({ all: 'unset', width: 16, flexShrink: 0, textAlign: 'center', cursor: 'pointer', position: 'relative', zIndex: 1, color: theme.colors.text.secondary }),
  color: css({ width: 4, height: 18, flexShrink: 0, borderRadius: 2 }),
  name: css({ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', fontWeight: theme.typography.fontWeightMedium }),
  operation: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
  bad: css({ color: theme.colors.error.text }),
  lane: css({ position: 'relative', flex: 1, height: '100%', overflow: 'hidden' }),
  bar: css({ position: 'absolute', top: 9, height: 10, borderRadius: 2, minWidth: 2 }),
  took: css({ position: 'absolute', top: 5, fontSize: theme.typography.bodySmall.fontSize, color: theme.colors.text.secondary, whiteSpace: 'nowrap' }),
  event: css({ position: 'absolute', top: 4, width: 2, height: 20, background: theme.colors.text.primary, opacity: 0.7 }),
});
