package redis

// Gathered is how many commands wait for a lane to the only node.
func (c *Client) Gathered() int {
	p := c.shared.at(c.single)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// Lanes is how many pipelines are under way at once.
const Lanes = lanes
