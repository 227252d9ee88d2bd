using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Models;

namespace AsrPlatform.Whisper.Tests.Models;

/// <summary>What every model refuses, and that what fits passes.</summary>
public sealed class Seq2SeqArgumentsTests
{
    private static readonly Seq2SeqModelInfo Info = new()
    {
        Backend = "none",
        Device = "cpu",
        FeatureSize = 4,
        Width = 8,
        VocabularySize = 10,
        MaxSourcePositions = 6,
        MaxTargetPositions = 5,
        EncoderLayers = 1,
        DecoderLayers = 2,
        DecoderHeads = 3,
        Parameters = 1,
    };

    [Theory]
    [InlineData(1, 2)]
    [InlineData(1, 12)]
    [InlineData(3, 8)]
    public void CheckEncode_WhatFits_Passes(int batch, int frames) =>
        Seq2SeqArguments.CheckEncode(Info, new float[batch * 4 * frames], batch, frames);

    [Theory]
    [InlineData(0, 12, 0, "batch", "A batch of 0 rows; it must have at least 1.")]
    [InlineData(1, 0, 0, "frames", "0 frames; there must be an even number from 2 to 12.")]
    [InlineData(1, 3, 12, "frames", "3 frames; there must be an even number from 2 to 12.")]
    [InlineData(1, 14, 56, "frames", "14 frames; there must be an even number from 2 to 12.")]
    [InlineData(2, 12, 95, "features", "95 features are not [2, 4, 12].")]
    [InlineData(int.MaxValue, 12, 48, "features", "48 features are not [2147483647, 4, 12].")]
    public void CheckEncode_WrongShape_NamesIt(int batch, int frames, int values, string parameter, string message) =>
        Refuses(parameter, message, () => Seq2SeqArguments.CheckEncode(Info, new float[values], batch, frames));

    [Fact]
    public void CheckEncode_GraphOfFixedSize_TakesTheWholeContextOnly()
    {
        var whole = Info with { SupportsShortContext = false };
        Seq2SeqArguments.CheckEncode(whole, new float[48], 1, 12);
        Refuses("frames", "10 frames; this model's graph takes 12 and no fewer.", () => Seq2SeqArguments.CheckEncode(whole, new float[40], 1, 10));
    }

    [Theory]
    [InlineData(0, 0, 5, 3)] // what the options leave open
    [InlineData(1, 3, 1, 3)]
    [InlineData(5, 7, 5, 7)]
    public void CheckCache_WhatFits_GivesNumbers(int capacity, int maxRows, int expectedCapacity, int expectedRows)
    {
        var options = new DecoderCacheOptions { Capacity = capacity, MaxRows = maxRows, AlignmentHeads = [new AttentionHead(1, 2)] };
        Assert.Equal((expectedCapacity, expectedRows), Seq2SeqArguments.CheckCache(Info, new States(2), [0, 1, 1], options));
    }

    [Fact]
    public void CheckCache_WrongRows_NamesThem()
    {
        var options = new DecoderCacheOptions();
        Refuses("sourceRows", "A cache needs at least one row.", () => Seq2SeqArguments.CheckCache(Info, new States(2), [], options));
        Refuses("sourceRows", "Source row 2 is not one of the 2 encoder rows.", () => Seq2SeqArguments.CheckCache(Info, new States(2), [0, 2], options));
        Refuses("sourceRows", "Source row -1 is not one of the 2 encoder rows.", () => Seq2SeqArguments.CheckCache(Info, new States(2), [-1], options));
    }

    [Theory]
    [InlineData(-1, 0, "A capacity of -1; it must be from 1 to 5.")]
    [InlineData(6, 0, "A capacity of 6; it must be from 1 to 5.")]
    [InlineData(0, 1, "At most 1 rows, but 2 to begin with.")]
    [InlineData(0, -1, "At most -1 rows, but 2 to begin with.")]
    public void CheckCache_WrongNumber_NamesIt(int capacity, int maxRows, string message) => Refuses(
        "options", message, () => Seq2SeqArguments.CheckCache(Info, new States(2), [0, 1], new DecoderCacheOptions { Capacity = capacity, MaxRows = maxRows }));

    [Theory]
    [InlineData(2, 0)]
    [InlineData(-1, 0)]
    [InlineData(0, 3)]
    public void CheckCache_HeadThatTheModelLacks_NamesIt(int layer, int head) => Refuses(
        "options",
        $"Alignment head {head} of layer {layer}: the model has 2 layers of 3 heads.",
        () => Seq2SeqArguments.CheckCache(Info, new States(1), [0], new DecoderCacheOptions { AlignmentHeads = [new AttentionHead(layer, head)] }));

    [Fact]
    public void CheckCache_HeadsOfAGraphWithoutAttention_AreRefused()
    {
        var blind = Info with { SupportsAlignment = false };
        Assert.Equal((5, 1), Seq2SeqArguments.CheckCache(blind, new States(1), [0], new DecoderCacheOptions()));
        Refuses(
            "options",
            "Alignment heads, but this model's graph has no output of cross-attention.",
            () => Seq2SeqArguments.CheckCache(blind, new States(1), [0], new DecoderCacheOptions { AlignmentHeads = [new AttentionHead(0, 0)] }));
    }

    [Fact]
    public void CheckTokens_WhatFits_GivesTheWidth()
    {
        var cache = new Cache(5, 3, 4);
        Assert.Equal(1, Seq2SeqArguments.CheckTokens(Info, cache, [9, 0], []));
        Assert.Equal(2, Seq2SeqArguments.CheckTokens(Info, cache, [1, 2, 3, 99], [2, 1])); // padding may hold anything
    }

    [Fact]
    public void CheckTokens_WrongShape_NamesIt()
    {
        var cache = new Cache(5, 0, 0);
        Refuses("tokens", "0 tokens do not divide among 2 rows.", () => Seq2SeqArguments.CheckTokens(Info, cache, [], []));
        Refuses("tokens", "3 tokens do not divide among 2 rows.", () => Seq2SeqArguments.CheckTokens(Info, cache, [1, 2, 3], []));
        Refuses("counts", "1 counts for 2 rows.", () => Seq2SeqArguments.CheckTokens(Info, cache, [1, 2], [1]));
        Refuses("counts", "Row 1 counts 0 of 1 tokens.", () => Seq2SeqArguments.CheckTokens(Info, cache, [1, 2], [1, 0]));
        Refuses("counts", "Row 0 counts 2 of 1 tokens.", () => Seq2SeqArguments.CheckTokens(Info, cache, [1, 2], [2, 1]));
    }

    [Fact]
    public void CheckTokens_FullRow_IsRefused() => Refuses(
        "tokens",
        "Row 1 holds 4 of at most 5 tokens; 2 more do not fit.",
        () => Seq2SeqArguments.CheckTokens(Info, new Cache(5, 0, 4), [1, 2, 3, 4], []));

    [Theory]
    [InlineData(10)]
    [InlineData(-1)]
    public void CheckTokens_OutsideTheVocabulary_IsRefused(int token) => Refuses(
        "tokens", $"Token {token} is outside the vocabulary of 10.", () => Seq2SeqArguments.CheckTokens(Info, new Cache(5, 0, 0), [1, token], []));

    [Theory]
    [InlineData(LogitPositions.None, 0)]
    [InlineData(LogitPositions.Last, 20)]
    [InlineData(LogitPositions.All, 60)]
    public void CheckOutputs_LogitsThatDoNotFit_AreRefused(LogitPositions positions, int needed)
    {
        Seq2SeqArguments.CheckOutputs(Info, 2, 3, 6, positions, new float[needed], []);
        if (needed > 0)
        {
            Refuses("logits", $"{needed - 1} values cannot hold {needed} logits.", () => Seq2SeqArguments.CheckOutputs(Info, 2, 3, 6, positions, new float[needed - 1], []));
        }
    }

    [Fact]
    public void CheckOutputs_AttentionThatDoesNotFit_IsRefused()
    {
        Seq2SeqArguments.CheckOutputs(Info, 2, 3, 6, LogitPositions.None, [], new float[36]);
        Refuses("alignment", "35 values cannot hold 36 attention weights.", () => Seq2SeqArguments.CheckOutputs(Info, 2, 3, 6, LogitPositions.None, [], new float[35]));
    }

    [Fact]
    public void CheckOutputs_UnknownPositions_AreRefused() =>
        Refuses("positions", "Unknown positions 7.", () => Seq2SeqArguments.CheckOutputs(Info, 1, 1, 0, (LogitPositions)7, new float[10], []));

    [Fact]
    public void CheckReorder_RowsThatAreNotThere_AreRefused()
    {
        Seq2SeqArguments.CheckReorder([1, 1, 0], 2, 3);
        Refuses("rows", "0 rows; this cache can hold 1 to 3.", () => Seq2SeqArguments.CheckReorder([], 2, 3));
        Refuses("rows", "4 rows; this cache can hold 1 to 3.", () => Seq2SeqArguments.CheckReorder([0, 0, 0, 0], 2, 3));
        Refuses("rows", "Row 2 is not one of the 2 rows.", () => Seq2SeqArguments.CheckReorder([0, 2], 2, 3));
    }

    private static void Refuses(string parameter, string message, Action action)
    {
        var error = Assert.Throws<ArgumentException>(parameter, action);
        Assert.StartsWith(message + " ", error.Message, StringComparison.Ordinal);
    }

    private sealed class States(int batch) : IEncoderStates
    {
        public int Batch => batch;

        public int Positions => 6;

        public void CopyTo(Span<float> destination) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }

    private sealed class Cache(int capacity, params int[] lengths) : IDecoderCache
    {
        public int Rows => lengths.Length;

        public int Capacity => capacity;

        public int Length(int row) => lengths[row];

        public void Reorder(ReadOnlySpan<int> rows) => throw new NotSupportedException();

        public void Truncate(int length) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
