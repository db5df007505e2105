import type { PanelProps } from './kinds.ts';
import { Flame } from './Flame.tsx';

/** FlameGraphPanel draws a profile, or the difference of two. */
export default function FlameGraphPanel({ panel, data, height }: PanelProps<'flamegraph'>) {
  return <div style={{ height, overflow: 'auto' }}>{data.flame && <Flame frame={data.flame} only={panel.options.showFlameGraphOnly} />}</div>;
}
