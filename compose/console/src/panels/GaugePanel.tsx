import { formattedValueToString, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation, type DisplayValueAlignmentFactors, type FieldDisplay } from '@grafana/data';
import { useTheme2, VizRepeater, type VizRepeaterRenderValueProps } from '@grafana/ui';
import { Gauge } from './Gauge.tsx';
import type { PanelProps } from './kinds.ts';
import { reduced } from './reduced.ts';

/** GaugePanel shows how far a number has come between its bounds. */
export default function GaugePanel({ panel, frames, width, height, replace }: PanelProps<'gauge'>) {
  const theme = useTheme2();
  const o = panel.options;
  const values = () =>
    getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions: reduced(o.reduceOptions), replaceVariables: replace, theme, data: frames, timeZone: 'browser' });
  const one = ({ value, width: w, height: h, count }: VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>) => (
    <Gauge
      value={value.display} field={value.field} width={w} height={h} theme={theme} markers={o.showThresholdMarkers ?? true} labels={o.showThresholdLabels ?? false}
      neutral={panel.fieldConfig.defaults.custom?.neutral} nameSize={o.text?.titleSize} valueSize={o.text?.valueSize} showName={count > 1}
      format={(v) => { const show = value.view?.getFieldDisplayProcessor(value.colIndex!); return show ? formattedValueToString(show(v)) : String(v); }}
    />
  );
  const manual = o.sizing === 'manual';
  return (
    <VizRepeater
      getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={one} width={width} height={height} source={frames} renderCounter={0} autoGrid
      itemSpacing={8} orientation={(o.orientation as VizOrientation) ?? VizOrientation.Auto} minVizWidth={manual ? o.minVizWidth : undefined}
      minVizHeight={manual ? o.minVizHeight : undefined}
    />
  );
}
