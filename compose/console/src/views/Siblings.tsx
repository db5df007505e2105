import { ButtonSelect } from '@grafana/ui';
import { go, usePlace } from '../app/place.ts';
import type { Dashboard } from '../model/dashboard.ts';
import type { Board } from './Boards.tsx';

/** Siblings leads to the other dashboards that the dashboard's links name, with the range and the variables where they say so. */
export function Siblings({ dashboard, boards }: { dashboard: Dashboard; boards: Board[] }) {
  const { query } = usePlace();
  return (
    <>
      {dashboard.links.map((link, i) => {
        const kept = new URLSearchParams(
          [...query].filter(([name]) => (link.includeVars && name.startsWith('var-')) || (link.keepTime && (name === 'from' || name === 'to')))
        ).toString();
        const to = (address: string) => (kept ? `${address}${address.includes('?') ? '&' : '?'}${kept}` : address);
        if (link.type === 'link') {
          return (
            <a key={i} href={to(link.url)} target={link.targetBlank ? '_blank' : undefined} title={link.tooltip}>
              {link.title}
            </a>
          );
        }
        const tags: string[] = link.tags ?? [];
        const options = boards.filter((b) => tags.every((t) => b.tags.includes(t))).map((b) => ({ value: b.uid, label: b.title }));
        return (
          <ButtonSelect key={i} options={options} value={{ label: dashboard.title, value: dashboard.uid }} onChange={(o) => go(to(`/d/${o.value}`))} variant="canvas" aria-label="Other dashboards" />
        );
      })}
    </>
  );
}
