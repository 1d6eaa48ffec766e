package web

import "strings"

// How the browsers and systems of our day name themselves. The first that is found counts: most of them name others besides, for the sake of
// sites that look for those.
var (
	browserMarks = []struct{ mark, name string }{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systemMarks = []struct{ mark, name string }{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
	}
)

// device says in words which browser and system a User-Agent claims. Whoever signs in writes that header, so no word of it is repeated:
// what comes out is ours, from the lists above.
func (v voice) device(userAgent string) string {
	browser, system := "", ""
	for _, b := range browserMarks {
		if browser == "" && strings.Contains(userAgent, b.mark) {
			browser = b.name
		}
	}
	for _, s := range systemMarks {
		if system == "" && strings.Contains(userAgent, s.mark) {
			system = s.name
		}
	}
	switch {
	case browser != "" && system != "":
		return v.fill("{browser} on {system}", "browser", browser, "system", system)
	case browser != "" || system != "":
		return browser + system
	}
	return v.text("A device that does not say what it is")
}
