/** OpenAssistantButton stands in for Grafana's assistant, which the lab does not have. */
export function OpenAssistantButton(): null {
  return null;
}
