import type { DataFrame } from '@grafana/data';
import { FlameGraph } from '@grafana/flamegraph';
import { useTheme2 } from '@grafana/ui';

/** Flame is Grafana's flame graph in the console's colours. */
export function Flame({ frame, only, sticky }: { frame: DataFrame; only?: boolean; sticky?: boolean }) {
  const theme = useTheme2();
  return <FlameGraph data={frame} getTheme={() => theme} showFlameGraphOnly={only} stickyHeader={sticky} showAnalyzeWithAssistant={false} vertical={window.innerWidth < 800} />;
}
