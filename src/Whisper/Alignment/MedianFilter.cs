namespace AsrPlatform.Whisper.Alignment;

/// <summary>A sliding median with mirrored ends.</summary>
public static class MedianFilter
{
    /// <summary>Widest window.</summary>
    public const int MaxWidth = 1001;

    /// <summary>Filters one row; a row no longer than half the window is copied as it is.</summary>
    /// <param name="input">Values without NaN.</param>
    /// <param name="width">Odd, 1…<see cref="MaxWidth"/>.</param>
    /// <param name="output">As long as <paramref name="input"/>; must not overlap it.</param>
    public static void Apply(ReadOnlySpan<float> input, int width, Span<float> output)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, MaxWidth);
        ArgumentOutOfRangeException.ThrowIfEqual(width % 2, 0, nameof(width));
        var half = width / 2;
        if (input.Length <= half)
        {
            input.CopyTo(output);
            return;
        }

        // The window is kept sorted: each step takes one value out and puts one in.
        Span<float> window = stackalloc float[width];
        for (var i = 0; i < width; i++)
        {
            Insert(window[..(i + 1)], Mirrored(input, i - half));
        }

        output[0] = window[half];
        for (var centre = 1; centre < input.Length; centre++)
        {
            Remove(window, Mirrored(input, centre - 1 - half));
            Insert(window, Mirrored(input, centre + half));
            output[centre] = window[half];
        }
    }

    private static float Mirrored(ReadOnlySpan<float> input, int index)
    {
        var last = input.Length - 1;
        index = index < 0 ? -index : index > last ? 2 * last - index : index;
        return input[index];
    }

    // Puts a value into sorted values whose last place is free.
    private static void Insert(Span<float> sorted, float value)
    {
        var place = sorted.Length - 1;
        while (place > 0 && sorted[place - 1] > value)
        {
            sorted[place] = sorted[place - 1];
            place--;
        }

        sorted[place] = value;
    }

    // Takes a value out of sorted values and leaves the last place free.
    private static void Remove(Span<float> sorted, float value)
    {
        var place = 0;
        while (place < sorted.Length - 1 && sorted[place] != value)
        {
            place++;
        }

        for (; place < sorted.Length - 1; place++)
        {
            sorted[place] = sorted[place + 1];
        }
    }
}
