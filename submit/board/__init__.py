"""The leaderboard: ranks, histories, a static site."""
