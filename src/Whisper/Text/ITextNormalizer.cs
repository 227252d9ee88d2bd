namespace AsrPlatform.Whisper.Text;

/// <summary>Brings transcripts into one form before they are compared. Immutable and safe for concurrent calls.</summary>
public interface ITextNormalizer
{
    /// <summary>The normal form of a text.</summary>
    string Normalize(string text);
}
