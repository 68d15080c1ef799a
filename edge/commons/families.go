package commons

// register enters every family into the table. The order does not matter.
func (s *Commons) register() {
	s.registerState()
	s.registerMemory()
	s.registerContext()
	s.registerTasks()
	s.registerSkills()
	s.registerVault()
	s.registerStreams()
	s.registerClock()
	s.registerInfo()
	s.registerSchedule()
	s.registerCalls()
	s.registerServers()
	s.registerRelay()
	s.registerWatches()
	s.registerTopics()
	s.registerAPIKeys()
	s.registerWebhooks()
	s.registerModeration()
	s.registerGrants()
	s.registerAudit()
}
