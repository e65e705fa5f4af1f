"""Does an agent reach its goals, and does the judging itself work?"""
