"""Losses for portraits: content, style, colour, gray, landmarks, smoothness."""
