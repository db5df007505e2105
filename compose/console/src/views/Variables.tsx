import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Combobox, InlineLabel, MultiCombobox, useStyles2, type ComboboxOption } from '@grafana/ui';
import { change } from '../app/place.ts';
import type { Dashboard, Variable } from '../model/dashboard.ts';
import { All } from '../model/interpolate.ts';
import type { Resolved } from '../model/variables.ts';

/** Variables are the choices above a dashboard. Those of data sources are hidden: a lab has one of each. */
export function Variables({ dashboard, resolved }: { dashboard: Dashboard; resolved?: Resolved }) {
  const styles = useStyles2(getStyles);
  const shown = dashboard.templating.list.filter((v) => v.type !== 'datasource' && v.type !== 'constant' && v.hide !== 2);
  if (shown.length === 0) {
    return null;
  }
  return (
    <div className={styles.bar} role="group" aria-label="Variables">
      {shown.map((v) => (
        <div key={v.name} className={styles.one} title={v.description}>
          <InlineLabel width="auto" htmlFor={`var-${v.name}`}>
            {v.label || v.name}
          </InlineLabel>
          <Choice variable={v} resolved={resolved} />
          {resolved?.problems[v.name] && (
            <span role="alert" className={styles.problem}>
              {resolved.problems[v.name]}
            </span>
          )}
        </div>
      ))}
    </div>
  );
}

function Choice({ variable, resolved }: { variable: Variable; resolved?: Resolved }) {
  const value = resolved?.values[variable.name];
  const chosen = value?.values ?? [];
  const options: Array<ComboboxOption<string>> = [
    ...(variable.includeAll ? [{ value: All, label: 'All' }] : []),
    ...(value?.options ?? []).map((o) => ({ value: o, label: o })),
  ];
  const set = (values: string[]) => change({ [`var-${variable.name}`]: values.length > 0 ? values : undefined });
  const id = `var-${variable.name}`;
  if (variable.multi) {
    return (
      <MultiCombobox<string>
        id={id} options={options} value={chosen} width="auto" minWidth={12} maxWidth={40}
        onChange={(picked) => {
          const values = picked.map((o) => o.value);
          // All and single values exclude each other: the one that was clicked counts.
          const wasAll = chosen.includes(All);
          set(values.includes(All) && !wasAll ? [All] : values.filter((v) => v !== All));
        }}
      />
    );
  }
  return (
    <Combobox<string>
      id={id} options={options} value={chosen[0] ?? null} width="auto" minWidth={12} maxWidth={40} createCustomValue={variable.type === 'textbox'}
      onChange={(o) => set([o.value])}
    />
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  bar: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), marginBottom: theme.spacing(1) }),
  // Where both have no room side by side, the choice goes below its name.
  one: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', maxWidth: '100%' }),
  problem: css({ color: theme.colors.error.text, marginLeft: theme.spacing(1), maxWidth: 360 }),
});
