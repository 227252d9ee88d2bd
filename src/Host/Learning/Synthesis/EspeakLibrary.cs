using System.Runtime.InteropServices;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>espeak-ng's library, for the times of words alone: it has one state a process, so that one thread at a time uses it.</summary>
/// <remarks>Its flutter goes on from one utterance to the next: times differ by some 0.2 ms with what was said before.</remarks>
internal sealed unsafe class EspeakLibrary
{
    // speak_lib.h
    private const int AudioOutputSynchronous = 2;
    private const int DoNotExit = 0x8000;
    private const int PositionCharacter = 1;
    private const uint CharactersUtf8 = 1;
    private const int ParameterRate = 1;
    private const int ParameterPitch = 3;
    private const int EventTerminated = 0;
    private const int EventWord = 1;
    private const int EventEnd = 5;

    private static readonly Lazy<EspeakLibrary?> Shared = new(TryLoad);

    private static string? _data;

    /// <summary>What the callback gathers; under <see cref="_gate"/>.</summary>
    private static readonly List<(bool IsWord, int Position, int Sample)> Events = [];

    private readonly Lock _gate = new();
    private readonly double _rateHz;
    private readonly delegate* unmanaged<byte*, int> _setVoice;
    private readonly delegate* unmanaged<int, int, int, int> _setParameter;
    private readonly delegate* unmanaged<byte*, nuint, uint, int, uint, uint, uint*, void*, int> _synthesize;
    private readonly delegate* unmanaged<int> _synchronize;

    private EspeakLibrary(nint library, int rateHz)
    {
        _rateHz = rateHz;
        _setVoice = (delegate* unmanaged<byte*, int>)NativeLibrary.GetExport(library, "espeak_SetVoiceByName");
        _setParameter = (delegate* unmanaged<int, int, int, int>)NativeLibrary.GetExport(library, "espeak_SetParameter");
        _synthesize = (delegate* unmanaged<byte*, nuint, uint, int, uint, uint, uint*, void*, int>)NativeLibrary.GetExport(library, "espeak_Synth");
        _synchronize = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "espeak_Synchronize");
    }

    /// <summary>The library, or null where it is not installed.</summary>
    public static EspeakLibrary? Instance => Shared.Value;

    /// <summary>Lets the library take its data from elsewhere.</summary>
    /// <param name="folder">A folder with <c>espeak-ng-data</c> in it.</param>
    /// <exception cref="InvalidOperationException">The library is loaded already.</exception>
    public static void UseData(string folder)
    {
        if (Shared.IsValueCreated)
        {
            throw new InvalidOperationException("espeak-ng's library has its data already");
        }

        _data = folder;
    }

    /// <summary>When each word of a text is said, up to where the next one starts; empty when the library counts other words than the text has.</summary>
    /// <param name="text">Words between spaces.</param>
    /// <param name="voice">A voice's file with its variant.</param>
    /// <param name="rate">Words per minute.</param>
    /// <param name="pitch">0…99.</param>
    public IReadOnlyList<TimedWord> FindWords(string text, string voice, int rate, int pitch)
    {
        lock (_gate)
        {
            Events.Clear();
            fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(voice + '\0'))
            fixed (byte* bytes = System.Text.Encoding.UTF8.GetBytes(text + '\0'))
            {
                if (_setVoice(name) != 0 || _setParameter(ParameterRate, rate, 0) != 0 || _setParameter(ParameterPitch, pitch, 0) != 0
                    || _synthesize(bytes, (nuint)System.Text.Encoding.UTF8.GetByteCount(text) + 1, 0, PositionCharacter, 0, CharactersUtf8, null, null) != 0)
                {
                    return [];
                }

                _synchronize();
            }

            return ToWords(text);
        }
    }

    private static EspeakLibrary? TryLoad()
    {
        if (!NativeLibrary.TryLoad("libespeak-ng.so.1", out var library) && !NativeLibrary.TryLoad("libespeak-ng", typeof(EspeakLibrary).Assembly, null, out library))
        {
            return null;
        }

        var initialize = (delegate* unmanaged<int, int, byte*, int, int>)NativeLibrary.GetExport(library, "espeak_Initialize");
        int rate;
        fixed (byte* data = _data is null ? null : System.Text.Encoding.UTF8.GetBytes(_data + '\0'))
        {
            rate = initialize(AudioOutputSynchronous, 0, data, DoNotExit);
        }

        if (rate <= 0)
        {
            return null;
        }

        var setCallback = (delegate* unmanaged<delegate* unmanaged<short*, int, Event*, int>, void>)NativeLibrary.GetExport(library, "espeak_SetSynthCallback");
        setCallback(&Receive);
        return new EspeakLibrary(library, rate);
    }

    [UnmanagedCallersOnly]
    private static int Receive(short* samples, int count, Event* events)
    {
        for (; events->Type != EventTerminated; events++)
        {
            if (events->Type is EventWord or EventEnd)
            {
                Events.Add((events->Type == EventWord, events->TextPosition, events->Sample));
            }
        }

        return 0;
    }

    private List<TimedWord> ToWords(string text)
    {
        var words = new List<TimedWord>();
        var length = 0;
        var starts = new List<(string Word, int First, int Last)>();
        foreach (var word in text.Split(' '))
        {
            // Positions count characters, from 1.
            var characters = word.EnumerateRunes().Count();
            if (characters > 0)
            {
                starts.Add((word, length + 1, length + characters));
            }

            length += characters + 1;
        }

        foreach (var (word, first, last) in starts)
        {
            // A number has several events within its word.
            var at = Events.FindIndex(item => item.IsWord && item.Position >= first && item.Position <= last);
            if (at < 0)
            {
                return [];
            }

            var next = Events.FindIndex(at, item => !item.IsWord || item.Position > last);
            words.Add(new TimedWord(word, Events[at].Sample / _rateHz, (next < 0 ? Events[^1] : Events[next]).Sample / _rateHz));
        }

        return words;
    }

    /// <summary>espeak_EVENT.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Event
    {
        public int Type;
        public uint UniqueIdentifier;
        public int TextPosition;
        public int Length;
        public int AudioPosition;
        public int Sample;
        public nint UserData;
        public long Id;
    }
}
