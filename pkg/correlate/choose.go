package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rcactl/rcactl/pkg/evidence"
)

// choose gathers the deployments, oldest first, and which of their images decide,
// and from that what is known only over all of them: which label is on whose images,
// and which services a delivery tool's object manages.
func (c *correlation) choose() {
	n := 0
	for i := range c.in.Events {
		if c.in.Events[i].Deployment != nil {
			n++
		}
	}
	c.deployments = make([]deployment, 0, n)
	for i := range c.in.Events {
		if e := &c.in.Events[i]; e.Deployment != nil {
			d := deployment{event: int32(i), time: e.Time.Unix(), service: c.service(e)}
			if e.Deployment.Environment == nil {
				c.sides(e, &d)
			}
			c.deployments = append(c.deployments, d)
		}
	}
	slices.SortFunc(c.deployments, func(a, b deployment) int {
		if a.time != b.time { // mostly, and without looking far
			return cmp.Compare(a.time, b.time)
		}
		return compareEvents(&c.in.Events[a.event], &c.in.Events[b.event])
	})
	for i := range c.deployments {
		d := &c.deployments[i]
		c.useLabels(d.service, d.to.known)
		c.useLabels(d.service, d.from.known)
		if tool, ok := managerOf(&c.in.Events[d.event]); ok && d.to.image != nil {
			if o := c.solver.origin(d.to, d.service); o.repository != "" && !o.mismatch {
				c.manages(tool, o)
			}
		}
	}
	for _, origins := range c.toolOrigins {
		slices.SortFunc(origins, compareOrigins)
	}
}

func compareOrigins(a, b origin) int {
	return cmp.Or(strings.Compare(a.repository, b.repository), strings.Compare(a.basis, b.basis), strings.Compare(a.path, b.path))
}

// manages keeps that a service of this origin is managed by a tool's object. Where it
// is known in several ways the first in order of the words counts, and what confirms
// it in one confirms it.
func (x *index) manages(tool toolObject, o origin) {
	list := x.toolOrigins[tool]
	for i := range list {
		if list[i].repository == o.repository {
			o.owned, o.trusted = o.owned || list[i].owned, o.trusted || list[i].trusted
			if compareOrigins(list[i], o) < 0 {
				o.basis, o.path = list[i].basis, list[i].path
			}
			list[i] = o
			return
		}
	}
	x.toolOrigins[tool] = append(list, o)
}

// useLabels keeps for which repository's services the image's revision labels stand.
func (x *index) useLabels(svc *Service, m *Image) {
	if m == nil || m.Metadata == nil {
		return
	}
	whose, _ := imageSource(m)
	if svc != nil {
		whose = svc.Repository
	}
	if whose == "" {
		return
	}
	for i := range m.Metadata.Claims {
		n := readRevision(m.Metadata.Claims[i].Revision)
		if n.form != formFull && n.form != formShort {
			continue
		}
		u, ok := x.labels[n.value]
		if !ok {
			x.labels[n.value] = use{repository: whose}
		} else if u.repository != whose && !u.shared {
			u.shared = true
			x.labels[n.value] = u
		}
	}
}

// sides finds for both templates of a deployment the image that decides.
func (x *index) sides(e *evidence.Event, d *deployment) {
	to, from := e.Deployment.To, e.Deployment.From
	_, name := serviceOf(e)
	if to != nil {
		d.to = side{template: to, current: true}
		d.to.image, d.to.several = x.decisive(to, from, d.service, name.name)
	}
	if from != nil {
		d.from = side{template: from}
		if d.to.image != nil {
			d.from.image, d.from.several = container(from, d.to.image.Container), d.to.several
		}
		if d.from.image == nil {
			d.from.image, d.from.several = x.decisive(from, nil, d.service, name.name)
		}
	}
	for _, sd := range []*side{&d.to, &d.from} {
		if sd.image != nil {
			sd.known = x.image(sd.image)
		}
	}
}

func container(t *evidence.Template, name string) *evidence.Image {
	for i := range t.Images {
		if t.Images[i].Container == name {
			return &t.Images[i]
		}
	}
	return nil
}

// decisive is the image that says which commit a template runs: the one that changed,
// else the one of the service's repository, else the one that is named like the
// service, else the first. several says that others may as well decide, or that
// another one is of another commit of the same repository.
func (x *index) decisive(t, before *evidence.Template, svc *Service, name string) (image *evidence.Image, several bool) {
	switch len(t.Images) {
	case 0:
		return nil, false
	case 1:
		return &t.Images[0], false
	}
	open := make([]*evidence.Image, 0, 8)
	if before != nil {
		open = changed(open, t, before)
	}
	if len(open) == 0 {
		for i := range t.Images {
			open = append(open, &t.Images[i])
		}
	}
	image = open[0]
	if several = !x.agree(open); several {
		image, several = x.among(open, svc, name)
	}
	return image, several || x.beside(t, image)
}

func changed(into []*evidence.Image, t, before *evidence.Template) []*evidence.Image {
	for i := range t.Images {
		now := &t.Images[i]
		old := container(before, now.Container)
		if old == nil || old.Image != now.Image || old.Digest != now.Digest && old.Digest != "" && now.Digest != "" {
			into = append(into, now)
		}
	}
	return into
}

// among chooses one of several images.
func (x *index) among(open []*evidence.Image, svc *Service, name string) (image *evidence.Image, several bool) {
	if svc != nil {
		own := make([]*evidence.Image, 0, len(open))
		for _, m := range open {
			if source, _ := imageSource(x.image(m)); source == svc.Repository {
				own = append(own, m)
			}
		}
		if len(own) > 0 {
			return own[0], !x.agree(own)
		}
	}
	for _, m := range open {
		if m.Container == name {
			return m, true
		}
	}
	return open[0], true
}

// agree reports whether images are the same, or name the same commit.
func (x *index) agree(open []*evidence.Image) bool {
	for _, m := range open[1:] {
		if m.Image == open[0].Image && m.Digest == open[0].Digest {
			continue
		}
		a, b := x.commitOf(open[0]), x.commitOf(m)
		if a == "" || a != b {
			return false
		}
	}
	return true
}

// beside reports whether a template has another image of the same repository and of
// another commit.
func (x *index) beside(t *evidence.Template, image *evidence.Image) bool {
	source, _ := imageSource(x.image(image))
	if source == "" {
		return false
	}
	for i := range t.Images {
		m := &t.Images[i]
		if m == image {
			continue
		}
		if other, _ := imageSource(x.image(m)); other != source {
			continue
		}
		if a, b := x.commitOf(image), x.commitOf(m); a != "" && b != "" && !sameCommit(a, b) {
			return true
		}
	}
	return false
}

// commitOf is the commit that an image names first, whole or in short.
func (x *index) commitOf(m *evidence.Image) string {
	if k := x.image(m); k != nil && k.Metadata != nil {
		for _, c := range k.Metadata.Claims {
			if n := readRevision(c.Revision); n.form == formFull || n.form == formShort {
				return n.value
			}
		}
	}
	_, tag, _ := splitReference(m.Image)
	if n := readVersion(tag); n.form == formFull || n.form == formShort {
		return n.value
	}
	return ""
}
