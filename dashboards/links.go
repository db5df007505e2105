package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Where the pages of the documentation can be read.
const (
	docPages     = "https://github.com/cacheu/plumbline/blob/main/docs/"
	runbookPages = docPages + "runbooks/"
)

// way leads from a panel to where its reader goes next.
type way struct {
	title, url string
	// page is set for a page that is no dashboard and opens beside it.
	page bool
}

// toBoard leads to another dashboard for the same time and the same choices,
// as far as that one has them.
func toBoard(uid catalog.DashboardUID, title string) way {
	return way{title: title, url: "/d/" + string(uid) + "?${__url_time_range}&${__all_variables}"}
}

// toLesson leads to a page of the lab about what a panel shows.
func toLesson(name, title string) way { return way{title, labPages + name + ".md", true} }

// toPage leads to a page of the documentation.
func toPage(name, title string) way { return way{title, docPages + name + ".md", true} }

// toRunbook leads to what to do when an alert has fired.
func toRunbook(alert string) way {
	return way{"Runbook: " + alert, runbookPages + alert + ".md", true}
}

// to gives a panel its links, in the order in which they help.
func (p panel) to(ways ...way) panel {
	p.builder = linked{p.builder, ways}
	return p
}

// linked is a panel with links.
type linked struct {
	cog.Builder[dashboard.Panel]
	ways []way
}

// Build builds the panel and adds the links.
func (l linked) Build() (dashboard.Panel, error) {
	built, err := l.Builder.Build()
	for _, w := range l.ways {
		link := dashboard.NewDashboardLink()
		link.Title, link.Type, link.Url, link.TargetBlank = w.title, dashboard.DashboardLinkTypeLink, &w.url, w.page
		link.Placement = nil // the SDK's default is for links of dashboards
		built.Links = append(built.Links, *link)
	}
	return built, err
}

// onlyThis opens a dashboard for the clicked value of a variable alone, and
// keeps the other choices, which must be named: repeating the variable itself
// would choose both values.
func onlyThis(title string, uid catalog.DashboardUID, v catalog.Variable, keep ...catalog.Variable) dashboard.DynamicConfigValue {
	url := "/d/" + string(uid) + "?${__url_time_range}"
	for _, k := range keep {
		url += "&${" + string(k) + ":queryparam}"
	}
	return dashboard.DynamicConfigValue{Id: "links", Value: []map[string]any{{
		"title": title, "url": url + "&var-" + string(v) + "=${__value.raw:percentencode}",
	}}}
}
