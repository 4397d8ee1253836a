"""Re-rating: what booked calls would cost by the price book that is loaded, shown and then written as adjustments."""
