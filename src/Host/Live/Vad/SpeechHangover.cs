namespace AsrPlatform.Host.Live;

/// <summary>Holds on to speech for some frames after it was last certain: words have weak ends and gaps. For any detector.</summary>
/// <param name="burst">Frames of speech in a row before it holds on: a click is over when it is over.</param>
/// <param name="frames">Frames that it holds on for.</param>
internal struct SpeechHangover(int burst, int frames)
{
    private int _run;
    private int _left;

    /// <summary>Whether there is speech.</summary>
    public bool IsSpeech { get; private set; }

    /// <summary>Takes the next frame.</summary>
    /// <param name="certain">Whether it is speech by itself.</param>
    public bool Extend(bool certain)
    {
        if (certain)
        {
            _left = ++_run >= burst ? frames : _left;
            IsSpeech = true;
        }
        else
        {
            _run = 0;
            IsSpeech = _left-- > 0;
            _left = Math.Max(_left, 0);
        }

        return IsSpeech;
    }
}
